import {
  chooseVersion,
  formatAddress,
  type Address,
  type BrokerCapabilities,
  type Session,
} from '../network/index.js';
import type { Api, ApiOrName, RequestInput, Resolved, ResponseOf } from '../protocol/index.js';
import { apis, resolveApi } from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel } from '../util/clock.js';
import { ConnectionError } from '../util/errors.js';
import type { Dialer } from './dialer.js';
import type { NodeTraffic } from './metrics.js';
import type { ClusterOptions } from './options.js';
import { pause } from './wait.js';

/**
 * What a connection is for: fetches never queue behind produce or coordinator calls, and those not
 * behind a JoinGroup, which the coordinator leaves unanswered until the whole group has joined.
 */
export type Purpose = 'produce' | 'fetch' | 'coordinator' | 'join' | 'control';

/** Brokers since 2.0 have it, and leave the waiting to the client when they throttle (KIP-219). */
const PRODUCE_VERSION_OF_2_0 = 6;

/** What a channel needs to know of the pool that it belongs to. */
export interface ChannelEnvironment {
  readonly dialer: Dialer;
  /** Who measures this channel's connections. */
  readonly traffic: NodeTraffic;
  /** Where the broker is now; `undefined` once it has left the cluster. */
  addressOf(nodeId: number): Address | undefined;
  /** A connection broke that was in use: the cluster may have changed. */
  onBroken(): void;
}

/**
 * The way to one broker for one purpose. Connects when asked to be ready, and again after the
 * connection broke; each attempt after a failed one waits longer (KIP-144, KIP-601).
 */
export class BrokerChannel {
  private session: Session | undefined;
  private opening: Promise<void> | undefined;
  private failures = 0;
  private mutedUntil = 0;
  private lastUsedAt = 0;
  private cancelIdle: Cancel | undefined;
  private isIdle = false;
  private readonly abort = new AbortController();
  private address: Address | undefined;
  /** Known after the first connection. */
  capabilities: BrokerCapabilities | undefined;

  constructor(
    readonly nodeId: number,
    readonly purpose: Purpose,
    private readonly options: ClusterOptions,
    private readonly environment: ChannelEnvironment,
  ) {}

  /** Connected, and negotiated. */
  get isOpen(): boolean {
    return this.session?.connection.isOpen === true;
  }

  /** Open, and not muted. */
  get isReady(): boolean {
    return this.isOpen && this.options.clock.monotonic() >= this.mutedUntil;
  }

  get inFlight(): number {
    return this.session?.connection.inFlight ?? 0;
  }

  /** Bytes of requests that the system has not yet taken. */
  get queuedBytes(): number {
    return this.session?.connection.queuedBytes ?? 0;
  }

  /** Whether the last attempt to connect failed. */
  get isFailing(): boolean {
    return this.failures > 0;
  }

  /** Whether the broker was looked for at another place than the one where it is said to be now. */
  get isMisplaced(): boolean {
    if (this.address === undefined) return false;
    const now = this.environment.addressOf(this.nodeId);
    return now === undefined || formatAddress(now) !== formatAddress(this.address);
  }

  /**
   * Connects if need be, after the backoff, and waits until a throttling is over. One attempt:
   * rejects with what went wrong, retriable unless trying again can't help.
   */
  async ready(): Promise<void> {
    const { signal } = this.abort;
    const { clock } = this.options;
    if (signal.aborted) throw signal.reason as Error;
    if (!this.isOpen) await (this.opening ??= this.open());
    const mutedMs = this.mutedUntil - clock.monotonic();
    if (mutedMs <= 0) return;
    await pause(clock, mutedMs, [signal]);
    // Meanwhile the connection may have broken, or was idle for too long.
    await this.ready();
  }

  /** The version to use for an API. Only when ready. */
  version(api: ApiOrName, limit?: number): number {
    if (this.capabilities === undefined) {
      throw new ConnectionError(`Broker ${this.nodeId} was never connected`);
    }
    return chooseVersion(resolveApi(api), this.capabilities, limit);
  }

  /** Sends a request on the open connection. */
  async send<A extends ApiOrName>(
    api: A,
    version: number,
    body: RequestInput<Resolved<A>>,
    timeoutMs?: number,
  ): Promise<ResponseOf<Resolved<A>>> {
    const { connection } = this.openSession();
    const { clock } = this.options;
    this.lastUsedAt = clock.monotonic();
    const response = await connection.request(api, version, body, timeoutMs);
    this.lastUsedAt = clock.monotonic();
    this.noteThrottling(resolveApi(api), response);
    return response;
  }

  /** Sends a request that is not answered. */
  post<A extends ApiOrName>(api: A, version: number, body: RequestInput<Resolved<A>>): void {
    this.lastUsedAt = this.options.clock.monotonic();
    this.openSession().connection.post(api, version, body);
  }

  /** Closes the connection for good; whoever waits for it is told the reason. */
  close(reason: Error): void {
    this.abort.abort(reason);
    this.cancelIdle?.();
    this.session?.connection.close();
  }

  private openSession(): Session {
    if (this.session === undefined || !this.isOpen) {
      throw new ConnectionError(`Broker ${this.nodeId} is not connected`);
    }
    return this.session;
  }

  private async open(): Promise<void> {
    const { signal } = this.abort;
    try {
      await this.backOff();
      this.address = this.environment.addressOf(this.nodeId);
      if (this.address === undefined) {
        throw new ConnectionError(
          `Nothing that was told lately says where broker ${this.nodeId} is`,
        );
      }
      const { dialer, traffic } = this.environment;
      const bounds = { setupTimeoutMs: this.setupTimeoutMs(), signal };
      const session = await dialer.dial(this.address, bounds, traffic);
      if (signal.aborted) session.connection.close();
      else this.opened(session);
    } catch (error) {
      if (!signal.aborted) this.failed(error as Error);
      if (!signal.aborted) throw error;
    } finally {
      this.opening = undefined;
    }
    if (signal.aborted) throw signal.reason as Error;
  }

  private failed(error: Error): void {
    const attempt = ++this.failures;
    const { broker, purpose } = this;
    const reason = error.message;
    this.options.onEvent({ type: 'connect-failed', broker, purpose, attempt, reason });
  }

  /** As events name it. */
  private get broker(): string {
    if (this.address === undefined) return String(this.nodeId);
    const place = formatAddress(this.address);
    return this.nodeId < 0 ? place : `${this.nodeId} at ${place}`;
  }

  private opened(session: Session): void {
    this.failures = 0;
    this.session = session;
    this.capabilities = session.capabilities;
    this.lastUsedAt = this.options.clock.monotonic();
    this.isIdle = false;
    const { broker, purpose } = this;
    this.options.onEvent({ type: 'connected', broker, purpose });
    this.watchIdle();
    session.connection.whenClosed((error) => {
      this.cancelIdle?.();
      if (this.session === session) this.session = undefined;
      const isOurs = this.isIdle || this.abort.signal.aborted;
      if (!isOurs) this.failures++;
      const reason = this.isIdle ? 'nobody used it' : (error?.message ?? 'closed');
      this.options.onEvent({ type: 'disconnected', broker, purpose, reason });
      if (!isOurs) this.environment.onBroken();
    });
  }

  private async backOff(): Promise<void> {
    if (this.failures === 0) return;
    const { clock, reconnectBackoffMs, reconnectBackoffMaxMs } = this.options;
    const lot = clock.random();
    const waitMs = backoffMs(this.failures - 1, reconnectBackoffMs, reconnectBackoffMaxMs, lot);
    await pause(clock, waitMs, [this.abort.signal]);
  }

  private setupTimeoutMs(): number {
    const { clock, socketConnectionSetupTimeoutMs, socketConnectionSetupTimeoutMaxMs } =
      this.options;
    return backoffMs(
      this.failures,
      socketConnectionSetupTimeoutMs,
      socketConnectionSetupTimeoutMaxMs,
      clock.random(),
    );
  }

  /** Brokers since 2.0 answer at once and expect the client to hold still; older ones hold still themselves. */
  private noteThrottling(api: Api, { throttleTimeMs = 0 }: { throttleTimeMs?: number }): void {
    this.environment.traffic.answered(throttleTimeMs);
    if (throttleTimeMs <= 0) return;
    const produce = this.capabilities?.apis.get(apis.Produce.key)?.max ?? 0;
    const until = this.options.clock.monotonic() + throttleTimeMs;
    if (produce >= PRODUCE_VERSION_OF_2_0) this.mutedUntil = Math.max(this.mutedUntil, until);
    const { broker } = this;
    this.options.onEvent({ type: 'throttled', broker, api: api.name, throttleTimeMs });
  }

  private watchIdle(): void {
    const { clock, connectionsMaxIdleMs } = this.options;
    const check = () => {
      const idleMs = clock.monotonic() - this.lastUsedAt;
      if (this.inFlight === 0 && idleMs >= connectionsMaxIdleMs) {
        this.isIdle = true;
        this.session?.connection.close();
        return;
      }
      const waitMs = this.inFlight > 0 ? connectionsMaxIdleMs : connectionsMaxIdleMs - idleMs;
      this.cancelIdle = clock.schedule(Math.max(1, waitMs), check);
    };
    this.cancelIdle = clock.schedule(connectionsMaxIdleMs, check);
  }
}
