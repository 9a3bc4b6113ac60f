import {
  resolveApi,
  type Api,
  type ApiOrName,
  type RequestOf,
  type Resolved,
} from '../../core/protocol/index.js';
import type { ResponseBody } from '../handlers/handler.js';
import { errorCodeOf } from '../error-codes.js';

/** Takes a fault back. Calling it again does nothing. */
export type Undo = () => void;

/** Which requests a fault is for. */
export interface FaultScope {
  /** Id of the only broker that it happens on. Default: all of them. */
  readonly broker?: number;
}

/** A request that an {@link Interceptor} may answer. */
export interface InterceptedRequest<A extends Api = Api> {
  readonly api: A;
  /** The version that it came in. */
  readonly version: number;
  /** Decoded: every field is there. */
  readonly body: RequestOf<A>;
  /** Id of the broker that got it. */
  readonly broker: number;
  readonly header: { readonly correlationId: number; readonly clientId: string | null };
}

/**
 * Gives the answer instead of the broker, now or later; `undefined` lets the broker answer.
 *
 * @see `EmbeddedKafka.intercept`
 */
export type Interceptor<A extends Api = Api> = (
  request: InterceptedRequest<A>,
) => ResponseBody<A> | undefined | Promise<ResponseBody<A> | undefined>;

type AnyInterceptor = (
  request: InterceptedRequest,
) => object | undefined | Promise<object | undefined>;

interface Fault<T> {
  readonly apiKey: number;
  readonly broker: number | undefined;
  readonly what: T;
  /** How often it still happens. */
  left: number;
}

/** When a request is dropped: before anything was done, or after, so that only the answer is lost. */
export type DropMoment = 'before' | 'after';

/** Everything that was asked to go wrong. */
export class Faults {
  private interceptors: Fault<AnyInterceptor>[] = [];
  private failures: Fault<number>[] = [];
  private delays: Fault<number>[] = [];
  private throttles: Fault<number>[] = [];
  private drops: Fault<DropMoment>[] = [];

  /** Nothing is to go wrong, so that requests can take the short way. */
  get isQuiet(): boolean {
    return (
      this.interceptors.length === 0 &&
      this.failures.length === 0 &&
      this.delays.length === 0 &&
      this.throttles.length === 0 &&
      this.drops.length === 0
    );
  }

  intercept<A extends ApiOrName>(
    api: A,
    handler: Interceptor<Resolved<A>>,
    scope: FaultScope,
  ): Undo {
    // The newest is asked first.
    const fault = faultOf(api, scope, handler as unknown as AnyInterceptor, Infinity);
    this.interceptors = [fault, ...this.interceptors];
    return () => {
      this.interceptors = this.interceptors.filter((other) => other !== fault);
    };
  }

  failNext(api: ApiOrName, error: string | number, times: number, scope: FaultScope): Undo {
    const fault = faultOf(api, scope, errorCodeOf(error), times);
    this.failures = [...this.failures, fault];
    return () => {
      this.failures = this.failures.filter((other) => other !== fault);
    };
  }

  delay(api: ApiOrName, ms: number, scope: FaultScope): Undo {
    const fault = faultOf(api, scope, ms, Infinity);
    this.delays = [...this.delays, fault];
    return () => {
      this.delays = this.delays.filter((other) => other !== fault);
    };
  }

  throttle(api: ApiOrName, ms: number, scope: FaultScope): Undo {
    const fault = faultOf(api, scope, ms, Infinity);
    this.throttles = [...this.throttles, fault];
    return () => {
      this.throttles = this.throttles.filter((other) => other !== fault);
    };
  }

  drop(api: ApiOrName, times: number, when: DropMoment, scope: FaultScope): Undo {
    const fault = faultOf(api, scope, when, times);
    this.drops = [...this.drops, fault];
    return () => {
      this.drops = this.drops.filter((other) => other !== fault);
    };
  }

  clear(): void {
    this.interceptors = [];
    this.failures = [];
    this.delays = [];
    this.throttles = [];
    this.drops = [];
  }

  interceptorsFor(api: Api, broker: number): AnyInterceptor[] {
    return this.interceptors.filter((fault) => fits(fault, api, broker)).map(({ what }) => what);
  }

  /** The code that the next request is to fail with; counts it. */
  takeFailure(api: Api, broker: number): number | undefined {
    const code = take(this.failures, (fault) => fits(fault, api, broker));
    this.failures = this.failures.filter(({ left }) => left > 0);
    return code;
  }

  /** Whether the next request is to be dropped at this moment; counts it. */
  takeDrop(api: Api, broker: number, when: DropMoment): boolean {
    const dropped = take(this.drops, (fault) => fault.what === when && fits(fault, api, broker));
    this.drops = this.drops.filter(({ left }) => left > 0);
    return dropped !== undefined;
  }

  delayFor(api: Api, broker: number): number {
    return largest(this.delays.filter((fault) => fits(fault, api, broker)));
  }

  throttleFor(api: Api, broker: number): number {
    return largest(this.throttles.filter((fault) => fits(fault, api, broker)));
  }
}

function faultOf<T>(api: ApiOrName, { broker }: FaultScope, what: T, left: number): Fault<T> {
  return { apiKey: (resolveApi(api) as Api).key, broker, what, left };
}

function fits({ apiKey, broker, left }: Fault<unknown>, api: Api, brokerId: number): boolean {
  return apiKey === api.key && (broker ?? brokerId) === brokerId && left > 0;
}

function take<T>(
  faults: readonly Fault<T>[],
  matches: (fault: Fault<T>) => boolean,
): T | undefined {
  const fault = faults.find(matches);
  if (fault === undefined) return undefined;
  fault.left--;
  return fault.what;
}

function largest(faults: readonly Fault<number>[]): number {
  return faults.reduce((max, { what }) => Math.max(max, what), 0);
}
