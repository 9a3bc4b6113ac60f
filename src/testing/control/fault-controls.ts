import type { ApiOrName, Resolved } from '../../core/protocol/index.js';
import type { DropMoment, Faults, FaultScope, Interceptor, Undo } from './faults.js';

/** Has the brokers misbehave. */
export interface FaultControls {
  /**
   * Has a function see each request of an API before the broker does. What it returns is the
   * answer; with `undefined` the broker answers itself. The newest interceptor is asked first. One
   * that throws ends the connection, and a process warning tells.
   *
   * @returns A function that takes it back.
   * @example
   * cluster.intercept('Metadata', ({ body }) => {
   *   console.log(body.topics);
   *   return undefined;
   * });
   * @example
   * const undo = cluster.intercept('FindCoordinator', async () => {
   *   await gate;
   *   return undefined;
   * });
   */
  intercept<A extends ApiOrName>(
    api: A,
    handler: Interceptor<Resolved<A>>,
    scope?: FaultScope,
  ): Undo;

  /**
   * Fails the next requests of an API: they change nothing, and the answer has the error wherever
   * an error can stand.
   *
   * @param error Kafka's name of it, or its code.
   * @returns A function that takes back what is left.
   * @example
   * cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER', 2);
   */
  failNext(api: ApiOrName, error: string | number, times?: number, scope?: FaultScope): Undo;

  /**
   * Holds back the answers of an API, and with them all that follow on the same connection. What is
   * asked for is carried out at once. The longest of several delays counts.
   *
   * @returns A function that takes it back; answers that wait already go on waiting.
   * @example
   * const undo = cluster.delay('Fetch', 500, { broker: 2 });
   */
  delay(api: ApiOrName, ms: number, scope?: FaultScope): Undo;

  /**
   * Cuts the connection instead of answering the next requests of an API.
   *
   * @param options `when: 'before'` cuts it before anything was done, `'after'` when only the answer
   * is lost. Default: `'before'`.
   * @returns A function that takes back what is left.
   * @example
   * cluster.drop('Produce', 1, { when: 'after' }); // written, but the producer can't know
   */
  drop(api: ApiOrName, times?: number, options?: FaultScope & { readonly when?: DropMoment }): Undo;

  /**
   * Throttles an API as a quota does: the answer says so, and the connection is read no further for
   * that long (KIP-219; before Kafka 2.0 the answer itself is late).
   *
   * @returns A function that takes it back.
   * @example
   * cluster.throttle('Produce', 100);
   */
  throttle(api: ApiOrName, ms: number, scope?: FaultScope): Undo;

  /**
   * Takes back all interceptors, failures, delays, drops and throttles.
   *
   * @example
   * afterEach(() => cluster.clearFaults());
   */
  clearFaults(): void;
}

export function faultControls(faults: Faults): FaultControls {
  return {
    intercept: (api, handler, scope = {}) => faults.intercept(api, handler, scope),
    failNext: (api, error, times = 1, scope = {}) => faults.failNext(api, error, times, scope),
    delay: (api, ms, scope = {}) => faults.delay(api, ms, scope),
    drop: (api, times = 1, { when = 'before', ...scope } = {}) =>
      faults.drop(api, times, when, scope),
    throttle: (api, ms, scope = {}) => faults.throttle(api, ms, scope),
    clearFaults: () => faults.clear(),
  };
}
