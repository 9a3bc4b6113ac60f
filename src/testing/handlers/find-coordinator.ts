import { apis, brokerError } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';

type Request = IncomingRequest<typeof apis.FindCoordinator>;

const FIRST_VERSION_OF_LISTS = 4;
const MAX_KEY_TYPE = 2;

/** Names the broker that coordinates a group or a transactional id. */
export const findCoordinator = defineHandler(apis.FindCoordinator, {
  handle: (request, context) => respond(request, (key) => locate(key, request, context)),
  fail: (request, errorCode) => respond(request, () => nowhere(errorCode)),
});

interface Found {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly errorCode: number;
}

function locate(key: string, { body }: Request, { cluster }: HandlerContext): Found {
  if (body.keyType < 0 || body.keyType > MAX_KEY_TYPE) return nowhere(Errors.INVALID_REQUEST);
  const node = cluster.coordinatorOf(key);
  if (node === undefined) return nowhere(Errors.COORDINATOR_NOT_AVAILABLE);
  return { nodeId: node.id, host: node.host, port: node.port, errorCode: Errors.NONE };
}

function nowhere(errorCode: number): Found {
  return { nodeId: -1, host: '', port: -1, errorCode };
}

function respond(
  { body, version }: Request,
  find: (key: string) => Found,
): ResponseBody<typeof apis.FindCoordinator> {
  if (version < FIRST_VERSION_OF_LISTS) {
    const found = find(body.key);
    return { ...found, errorMessage: brokerError(found.errorCode).name };
  }
  const coordinators = body.coordinatorKeys.map((key) => {
    const found = find(key);
    const errorMessage = found.errorCode === Errors.NONE ? '' : brokerError(found.errorCode).name;
    return { key, ...found, errorMessage };
  });
  return { coordinators };
}
