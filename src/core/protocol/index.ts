export {
  api,
  message,
  type Api,
  type Message,
  type RequestInput,
  type RequestOf,
  type ResponseInput,
  type ResponseOf,
} from './api.js';
export { brokerError, brokerErrors, type BrokerError } from './broker-errors.js';
export { decodeMessage, decodeWhole, encodeMessage } from './codec.js';
export {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  StickyAssignorUserData,
} from './consumer-protocol.js';
export {
  RequestHeader,
  requestHeaderVersion,
  ResponseHeader,
  responseHeaderVersion,
} from './header.js';
export { Reader } from './reader.js';
export {
  allApis,
  apis,
  findApi,
  resolveApi,
  type ApiName,
  type ApiOrName,
  type Resolved,
} from './registry.js';
export type { Decoded, Encodable, Field, Fields, ScalarKind } from './schema.js';
export { bytesToUuid, uuidToBytes, ZERO_UUID } from './uuid.js';
export { includesVersion, intersectVersions, type VersionRange } from './versions.js';
export {
  decodeRequest,
  decodeRequestWithHeader,
  decodeResponse,
  decodeResponseWithHeader,
  encodeRequest,
  encodeRequestFrame,
  encodeRequestWithHeader,
  encodeResponse,
  encodeResponseFrame,
  encodeResponseWithHeader,
  peekRequest,
  type ReceivedRequest,
  type RequestEnvelope,
} from './wire.js';
export { Writer } from './writer.js';
