import {
  chooseVersion,
  formatAddress,
  type Address,
  type BrokerCapabilities,
  type Session,
} from '../network/index.js';
import type { Api, ApiOrName, RequestInput, Resolved, ResponseOf } from '../protocol/index.js';
import { resolveApi } from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel } from '../util/clock.js';
import { ConnectionError } from '../util/errors.js';
import type { Dialer } from './dialer.js';
import type { ClusterOptions } from './options.js';

/**
 * What a connection is for: fetches never queue behind produce or coordinator calls, and those not
 * behind a JoinGroup, which the coordinator leaves unanswered until the whole group has joined.
 */
export type Purpose = 'produce' | 'fetch' | 'coordinator' | 'join' | 'control';

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
  private readonly abort = new AbortController();
  /** Known after the first connection. */
  capabilities: BrokerCapabilities | undefined;

  constructor(
    readonly nodeId: number,
    readonly purpose: Purpose,
    private readonly options: ClusterOptions,
    private readonly dialer: Dialer,
    /** Where the broker is now; `undefined` once it has left the cluster. */
    private readonly addressOf: (nodeId: number) => Address | undefined,
  ) {}

  /** Open, negotiated and not muted. */
  get isReady(): boolean {
    return this.isOpen && this.options.clock.monotonic() >= this.mutedUntil;
  }

  get inFlight(): number {
    return this.session?.connection.inFlight ?? 0;
  }

  /** Whether the last attempt to connect failed. */
  get isFailing(): boolean {
    return this.failures > 0;
  }

  /**
   * Connects if need be, after the backoff, and waits until a throttling is over. One attempt:
   * rejects with what went wrong, retriable unless trying again can't help.
   */
  async ready(): Promise<void> {
    if (this.abort.signal.aborted) throw closed();
    if (!this.isOpen) await (this.opening ??= this.open());
    const { clock } = this.options;
    const mutedMs = this.mutedUntil - clock.monotonic();
    if (mutedMs > 0) await new Promise<void>((resolve) => clock.schedule(mutedMs, resolve));
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

  close(): void {
    this.abort.abort();
    this.cancelIdle?.();
    this.session?.connection.close();
  }

  private get isOpen(): boolean {
    return this.session?.connection.isOpen === true;
  }

  private openSession(): Session {
    if (this.session === undefined || !this.isOpen) {
      throw new ConnectionError(`Broker ${this.nodeId} is not connected`);
    }
    return this.session;
  }

  private async open(): Promise<void> {
    try {
      await this.backOff();
      const address = this.addressOf(this.nodeId);
      if (address === undefined) {
        throw new ConnectionError(`Broker ${this.nodeId} is not part of the cluster any more`);
      }
      const session = await this.dialer.dial(address, this.setupTimeoutMs(), this.abort.signal);
      if (this.abort.signal.aborted) session.connection.close();
      this.opened(session, this.describe(address));
    } catch (error) {
      this.failed(error);
      throw error;
    } finally {
      this.opening = undefined;
    }
  }

  private failed(error: unknown): void {
    const attempt = ++this.failures;
    if (this.abort.signal.aborted) return;
    const address = this.addressOf(this.nodeId);
    const broker = address === undefined ? String(this.nodeId) : this.describe(address);
    const reason = error instanceof Error ? error.message : String(error);
    const { purpose } = this;
    this.options.onEvent({ type: 'connect-failed', broker, purpose, attempt, reason });
  }

  /** A bootstrap server has no id yet. */
  private describe(address: Address): string {
    const text = formatAddress(address);
    return this.nodeId < 0 ? text : `${this.nodeId} at ${text}`;
  }

  private opened(session: Session, broker: string): void {
    this.failures = 0;
    this.session = session;
    this.capabilities = session.capabilities;
    this.lastUsedAt = this.options.clock.monotonic();
    const { purpose } = this;
    this.options.onEvent({ type: 'connected', broker, purpose });
    session.connection.whenClosed((error) => {
      this.cancelIdle?.();
      if (this.session === session) this.session = undefined;
      if (error !== undefined) this.failures++;
      const reason = error?.message ?? 'closed';
      this.options.onEvent({ type: 'disconnected', broker, purpose, reason });
    });
    this.watchIdle();
  }

  private async backOff(): Promise<void> {
    if (this.failures === 0) return;
    const { clock, reconnectBackoffMs, reconnectBackoffMaxMs } = this.options;
    const lot = clock.random();
    const waitMs = backoffMs(this.failures - 1, reconnectBackoffMs, reconnectBackoffMaxMs, lot);
    await new Promise<void>((resolve, reject) => {
      const { signal } = this.abort;
      const cancel = clock.schedule(waitMs, () => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
      const stop = () => {
        cancel();
        reject(closed());
      };
      signal.addEventListener('abort', stop, { once: true });
    });
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

  /** Brokers since 2.0 answer at once and expect the client to hold still (KIP-219). */
  private noteThrottling(api: Api, { throttleTimeMs = 0 }: { throttleTimeMs?: number }): void {
    if (throttleTimeMs <= 0) return;
    this.mutedUntil = this.options.clock.monotonic() + throttleTimeMs;
    const broker = String(this.nodeId);
    this.options.onEvent({ type: 'throttled', broker, api: api.name, throttleTimeMs });
  }

  private watchIdle(): void {
    const { clock, connectionsMaxIdleMs } = this.options;
    const check = () => {
      const idleMs = clock.monotonic() - this.lastUsedAt;
      if (this.inFlight === 0 && idleMs >= connectionsMaxIdleMs) {
        this.session?.connection.close();
        return;
      }
      const waitMs = this.inFlight > 0 ? connectionsMaxIdleMs : connectionsMaxIdleMs - idleMs;
      this.cancelIdle = clock.schedule(Math.max(1, waitMs), check);
    };
    this.cancelIdle = clock.schedule(connectionsMaxIdleMs, check);
  }
}

function closed(): ConnectionError {
  return new ConnectionError('The client is closed', { code: 'CLIENT_CLOSED', isRetriable: false });
}
