import { ProtocolError, UnsupportedVersionError } from '../util/errors.js';
import {
  checkDeclared,
  type Api,
  type RequestInput,
  type RequestOf,
  type ResponseInput,
  type ResponseOf,
} from './api.js';
import { decodeMessage, decodeWhole, encodeMessage } from './codec.js';
import {
  RequestHeader,
  requestHeaderVersion,
  ResponseHeader,
  responseHeaderVersion,
} from './header.js';
import { Reader } from './reader.js';
import { findApi, resolveApi, type ApiOrName, type Resolved } from './registry.js';
import { Writer } from './writer.js';

/**
 * Encodes the body of a request: no header, no length in front.
 *
 * Fields that are left out take Kafka's default.
 *
 * @throws ProtocolError naming the field that has a wrong type, that does not exist, or that is set
 * though the version lacks it.
 * @example
 * encodeRequest('Metadata', 12, { topics: [{ name: 'orders' }] });
 */
export function encodeRequest<A extends ApiOrName>(
  api: A,
  version: number,
  body: RequestInput<Resolved<A>>,
): Buffer {
  const writer = new Writer();
  encodeMessage(writer, resolveApi(api).request, version, body as never);
  return writer.toBuffer();
}

/**
 * Decodes the body of a request. Byte fields are slices of `bytes`.
 *
 * @throws ProtocolError naming the field and the position where the bytes make no sense.
 * @example
 * decodeRequest('Metadata', 12, bytes).topics
 */
export function decodeRequest<A extends ApiOrName>(
  api: A,
  version: number,
  bytes: Buffer,
): RequestOf<Resolved<A>> {
  return decodeWhole(new Reader(bytes), resolveApi(api).request, version);
}

/** Encodes the body of a response: the counterpart of {@link encodeRequest}. */
export function encodeResponse<A extends ApiOrName>(
  api: A,
  version: number,
  body: ResponseInput<Resolved<A>>,
): Buffer {
  const writer = new Writer();
  encodeMessage(writer, resolveApi(api).response, version, body as never);
  return writer.toBuffer();
}

/** Decodes the body of a response: the counterpart of {@link decodeRequest}. */
export function decodeResponse<A extends ApiOrName>(
  api: A,
  version: number,
  bytes: Buffer,
): ResponseOf<Resolved<A>> {
  return decodeWhole(new Reader(bytes), resolveApi(api).response, version);
}

/** What a client says of a request besides its body. */
export interface RequestEnvelope {
  readonly correlationId: number;
  readonly clientId: string | null;
}

/**
 * Encodes a request with its header, in pieces: large byte fields are passed on, not copied. No
 * length in front.
 *
 * @example
 * socket.write(Buffer.concat(encodeRequestWithHeader('ApiVersions', 0, { correlationId: 1, clientId: null }, {})));
 */
export function encodeRequestWithHeader<A extends ApiOrName>(
  api: A,
  version: number,
  envelope: RequestEnvelope,
  body: RequestInput<Resolved<A>>,
): Uint8Array[] {
  const { request, key } = resolveApi(api) as Api;
  const writer = new Writer();
  encodeMessage(writer, RequestHeader, requestHeaderVersion(request, version), {
    requestApiKey: key,
    requestApiVersion: version,
    ...envelope,
  });
  encodeMessage(writer, request, version, body as never);
  return writer.finish();
}

/**
 * As {@link encodeRequestWithHeader}, with the length in front: what goes on the socket.
 *
 * @example
 * for (const chunk of encodeRequestFrame('ApiVersions', 0, envelope, {})) socket.write(chunk);
 */
export function encodeRequestFrame<A extends ApiOrName>(
  api: A,
  version: number,
  envelope: RequestEnvelope,
  body: RequestInput<Resolved<A>>,
): Uint8Array[] {
  const writer = new Writer();
  writer.int32(0);
  writeRequest(writer, resolveApi(api), version, envelope, body);
  return patchLength(writer);
}

/** A decoded request with what its header said. */
export interface ReceivedRequest extends RequestEnvelope {
  readonly api: Api;
  readonly version: number;
  readonly body: Record<string, unknown>;
}

/**
 * Decodes a request with its header, as a broker receives it.
 *
 * @throws UnsupportedVersionError when the API or its version is not declared; what the header
 * starts with can still be had from {@link peekRequest}.
 */
export function decodeRequestWithHeader(bytes: Buffer): ReceivedRequest {
  const { apiKey, version } = peekRequest(bytes);
  const api = findApi(apiKey);
  if (api === undefined) {
    throw new UnsupportedVersionError(`No API has key ${apiKey}`, { code: 'UNKNOWN_API' });
  }
  checkDeclared(api.request, version);
  const reader = new Reader(bytes);
  const headerVersion = requestHeaderVersion(api.request, version);
  const { correlationId, clientId } = decodeMessage(reader, RequestHeader, headerVersion);
  const body = decodeWhole(reader, api.request, version);
  return { api, version, correlationId, clientId, body };
}

/** The part of a request that all versions of all APIs share, known ones or not. */
export function peekRequest(bytes: Buffer): {
  apiKey: number;
  version: number;
  correlationId: number;
} {
  if (bytes.length < 8) {
    throw new ProtocolError(`A request of ${bytes.length} bytes has no room for a header`);
  }
  return {
    apiKey: bytes.readInt16BE(0),
    version: bytes.readInt16BE(2),
    correlationId: bytes.readInt32BE(4),
  };
}

/** Encodes a response with its header, in pieces; no length in front. */
export function encodeResponseWithHeader<A extends ApiOrName>(
  api: A,
  version: number,
  correlationId: number,
  body: ResponseInput<Resolved<A>>,
): Uint8Array[] {
  const { response, key } = resolveApi(api) as Api;
  const writer = new Writer();
  const headerVersion = responseHeaderVersion(key, response, version);
  encodeMessage(writer, ResponseHeader, headerVersion, { correlationId });
  encodeMessage(writer, response, version, body as never);
  return writer.finish();
}

/** As {@link encodeResponseWithHeader}, with the length in front: what goes on the socket. */
export function encodeResponseFrame<A extends ApiOrName>(
  api: A,
  version: number,
  correlationId: number,
  body: ResponseInput<Resolved<A>>,
): Uint8Array[] {
  const writer = new Writer();
  writer.int32(0);
  writeResponse(writer, resolveApi(api), version, correlationId, body);
  return patchLength(writer);
}

/** Decodes a response with its header, as a client receives it. */
export function decodeResponseWithHeader<A extends ApiOrName>(
  api: A,
  version: number,
  bytes: Buffer,
): { correlationId: number; body: ResponseOf<Resolved<A>> } {
  const { response, key } = resolveApi(api) as Api;
  const reader = new Reader(bytes);
  const headerVersion = responseHeaderVersion(key, response, version);
  const { correlationId } = decodeMessage(reader, ResponseHeader, headerVersion);
  return { correlationId, body: decodeWhole(reader, response, version) };
}

function writeRequest(
  writer: Writer,
  { key, request }: Api,
  version: number,
  { correlationId, clientId }: RequestEnvelope,
  body: object,
): void {
  encodeMessage(writer, RequestHeader, requestHeaderVersion(request, version), {
    requestApiKey: key,
    requestApiVersion: version,
    correlationId,
    clientId,
  });
  encodeMessage(writer, request, version, body);
}

function writeResponse(
  writer: Writer,
  { key, response }: Api,
  version: number,
  correlationId: number,
  body: object,
): void {
  const headerVersion = responseHeaderVersion(key, response, version);
  encodeMessage(writer, ResponseHeader, headerVersion, { correlationId });
  encodeMessage(writer, response, version, body);
}

/** Puts the length where {@link Writer.int32} left room for it. */
function patchLength(writer: Writer): Uint8Array[] {
  const bytes = writer.length - 4;
  const chunks = writer.finish();
  const first = chunks[0]!;
  new DataView(first.buffer, first.byteOffset).setInt32(0, bytes);
  return chunks;
}
