import type { Api, RequestOf, ResponseInput } from '../../core/protocol/index.js';
import type { Cluster } from '../state/cluster.js';

/** A request as a handler gets it. */
export interface IncomingRequest<A extends Api = Api> {
  readonly api: A;
  readonly version: number;
  readonly body: RequestOf<A>;
  readonly header: { readonly correlationId: number; readonly clientId: string | null };
  /** Aborted when the connection is gone, so that nobody waits for an answer any more. */
  readonly signal: AbortSignal;
}

/** Who answers. */
export interface HandlerContext {
  readonly brokerId: number;
  readonly cluster: Cluster;
}

/** Nothing is sent: the client does not wait for an answer. */
export const NO_ANSWER = Symbol('no answer');
/** The connection is closed, which is how a broker says no where there is no field to say it in. */
export const HANG_UP = Symbol('hang up');

/** A response without what the broker itself fills in. */
export type ResponseBody<A extends Api = Api> = Omit<ResponseInput<A>, 'throttleTimeMs'> & {
  readonly throttleTimeMs?: number;
};

export type Answer<A extends Api = Api> = ResponseBody<A> | typeof NO_ANSWER | typeof HANG_UP;

/** How one API is answered. */
export interface Handler<A extends Api = Api> {
  readonly api: A;
  handle(request: IncomingRequest<A>, context: HandlerContext): Answer<A> | Promise<Answer<A>>;
  /** The usual answer with an error code wherever there may be one. */
  fail(request: IncomingRequest<A>, errorCode: number, context: HandlerContext): Answer<A>;
}

/** Of any API. Only the request that a handler was registered for reaches it. */
export interface AnyHandler {
  readonly api: Api;
  handle(request: IncomingRequest, context: HandlerContext): AnyAnswer | Promise<AnyAnswer>;
  fail(request: IncomingRequest, errorCode: number, context: HandlerContext): AnyAnswer;
}

export type AnyAnswer = object | typeof NO_ANSWER | typeof HANG_UP;

/** Declares how an API is answered, with the types of its messages. */
export function defineHandler<A extends Api>(api: A, methods: Omit<Handler<A>, 'api'>): AnyHandler {
  return { api, ...methods };
}
