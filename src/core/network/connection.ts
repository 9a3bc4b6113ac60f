import {
  decodeResponseWithHeader,
  encodeRequestFrame,
  resolveApi,
  type Api,
  type ApiOrName,
  type RequestInput,
  type Resolved,
  type ResponseOf,
} from '../protocol/index.js';
import type { Cancel, Clock } from '../util/clock.js';
import { ProtocolError, TimeoutError } from '../util/errors.js';
import { Queue } from '../util/queue.js';
import { closedBeforeAnswer, connectingAborted, notOpened, notSent } from './connection-errors.js';
import { FrameAssembler } from './frame-assembler.js';
import { formatAddress, type Address, type Link, type Transport } from './transport.js';

export interface ConnectionOptions {
  readonly address: Address;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Sent with every request; shows up in the broker's logs, metrics and quotas. */
  readonly clientId: string | null;
  /** How long a request may take before the connection counts as dead. */
  readonly requestTimeoutMs: number;
  /** How long it may take until a connection is open, over all addresses of the host. */
  readonly setupTimeoutMs: number;
  /** Longest response that is believed. */
  readonly maxResponseBytes: number;
  /** Told of every frame. */
  readonly traffic?: TrafficObserver | undefined;
}

/** Who measures what goes over connections. */
export interface TrafficObserver {
  sent(bytes: number): void;
  received(bytes: number, latencyMs: number): void;
}

const LENGTH_BYTES = 4;

interface Pending {
  readonly api: Api;
  readonly version: number;
  readonly correlationId: number;
  readonly sentAt: number;
  readonly resolve: (body: never) => void;
  readonly reject: (error: Error) => void;
  cancelTimeout: Cancel;
}

/** Called once when a connection is gone, with the reason unless it was closed by us. */
export type OnClosed = (error: Error | undefined) => void;

/**
 * One connection to one broker: frames, correlation, pipelining, timeouts. It knows nothing of
 * versions or authentication; negotiate.ts does.
 *
 * Requests are answered in the order in which they were sent. A request that times out ends the
 * connection, because nothing that follows it can be answered either. Whatever ends the connection
 * rejects everything that is pending, once.
 */
export class Connection {
  private readonly pending = new Queue<Pending>();
  private readonly frames: FrameAssembler;
  private readonly broker: string;
  private link: Link | undefined;
  private nextCorrelationId = 0;
  private closeReason: Error | undefined;
  private isClosed = false;
  private onClosed: OnClosed[] = [];

  private constructor(private readonly options: ConnectionOptions) {
    this.broker = formatAddress(options.address);
    this.frames = new FrameAssembler(options.maxResponseBytes, (frame) => this.receive(frame));
  }

  /** Opens a connection. Rejects with ConnectionError naming the address and the reason. */
  static open(options: ConnectionOptions, signal?: AbortSignal): Promise<Connection> {
    const connection = new Connection(options);
    return new Promise((resolve, reject) => {
      const abort = () => connection.close(connectingAborted(connection.broker, signal?.reason));
      connection.whenClosed((error) => {
        signal?.removeEventListener('abort', abort);
        reject(notOpened(connection.broker, error));
      });
      if (signal?.aborted === true) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      connection.connect(() => {
        signal?.removeEventListener('abort', abort);
        resolve(connection);
      });
    });
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  get address(): Address {
    return this.options.address;
  }

  /** Requests that were sent and not yet answered. */
  get inFlight(): number {
    return this.pending.length;
  }

  /** Bytes that were written but that the system has not yet taken. */
  get queuedBytes(): number {
    return this.link?.queuedBytes ?? 0;
  }

  /** Calls back once when the connection is gone; at once if it is gone already. */
  whenClosed(callback: OnClosed): void {
    if (this.isClosed) callback(this.closeReason);
    else this.onClosed.push(callback);
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @throws ProtocolError when the body can't be encoded, nothing is sent then, or the answer can't
   * be decoded.
   * @throws TimeoutError, ConnectionError when no answer will come; the request may have been
   * carried out.
   */
  request<A extends ApiOrName>(
    api: A,
    version: number,
    body: RequestInput<Resolved<A>>,
    timeoutMs = this.options.requestTimeoutMs,
  ): Promise<ResponseOf<Resolved<A>>> {
    return new Promise((resolve, reject) => {
      const resolved = resolveApi(api) as Api;
      const { correlationId, chunks } = this.encode(resolved, version, body);
      const pending: Pending = {
        api: resolved,
        version,
        correlationId,
        sentAt: this.options.clock.monotonic(),
        resolve,
        reject,
        cancelTimeout: this.options.clock.schedule(timeoutMs, () =>
          this.timedOut(pending, timeoutMs),
        ),
      };
      // Before it is sent: a transport in memory may answer within the call.
      this.pending.push(pending);
      this.write(chunks);
    });
  }

  /** Sends a request that brokers don't answer: Produce with acks 0. */
  post<A extends ApiOrName>(api: A, version: number, body: RequestInput<Resolved<A>>): void {
    this.write(this.encode(resolveApi(api), version, body).chunks);
  }

  /** Closes the connection; what is pending is rejected with `reason`. */
  close(reason?: Error): void {
    if (this.isClosed) return;
    this.link?.destroy(reason);
    this.closed(reason);
  }

  private write(chunks: readonly Uint8Array[]): void {
    this.options.traffic?.sent(chunks.reduce((sum, { length }) => sum + length, 0));
    this.link!.write(chunks);
  }

  private connect(onOpen: () => void): void {
    try {
      this.link = this.options.transport.open(
        this.options.address,
        {
          onOpen,
          onBytes: (bytes) => this.accept(bytes),
          onClose: (error) => this.closed(error),
        },
        { setupTimeoutMs: this.options.setupTimeoutMs },
      );
    } catch (error) {
      this.closed(error as Error);
    }
  }

  /** Numbers a request; an encoding that fails uses up no number. */
  private encode(
    api: Api,
    version: number,
    body: object,
  ): { correlationId: number; chunks: readonly Uint8Array[] } {
    if (this.isClosed) throw notSent(this.broker, nameOf(api, version), this.closeReason);
    const correlationId = this.nextCorrelationId;
    const envelope = { correlationId, clientId: this.options.clientId };
    const chunks = encodeRequestFrame(api, version, envelope, body);
    this.nextCorrelationId = (correlationId + 1) & 0x7fff_ffff;
    return { correlationId, chunks };
  }

  private accept(bytes: Buffer): void {
    try {
      this.frames.push(bytes);
    } catch (error) {
      this.close(error as Error);
    }
  }

  private receive(frame: Buffer): void {
    const pending = this.pending.shift();
    if (pending === undefined) {
      throw new ProtocolError(`${this.broker} sent ${frame.length} bytes that nobody asked for`);
    }
    pending.cancelTimeout();
    const { traffic, clock } = this.options;
    traffic?.received(frame.length + LENGTH_BYTES, clock.monotonic() - pending.sentAt);
    const correlationId = frame.length < 4 ? undefined : frame.readInt32BE(0);
    if (correlationId !== pending.correlationId) {
      const error = new ProtocolError(
        `${this.broker} answered request ${String(correlationId)} when the answer to ` +
          `${pending.correlationId} (${pending.api.name}@${pending.version}) was due`,
      );
      pending.reject(error);
      throw error;
    }
    try {
      pending.resolve(decodeAnswer(pending.api, pending.version, frame) as never);
    } catch (error) {
      // The frame is complete, so what follows it can still be read.
      pending.reject(error as Error);
    }
  }

  private timedOut(pending: Pending, timeoutMs: number): void {
    const api = nameOf(pending.api, pending.version);
    const error = new TimeoutError(`${this.broker} did not answer ${api} within ${timeoutMs} ms`, {
      context: { api, broker: this.broker },
    });
    pending.reject(error);
    this.close(error);
  }

  private closed(reason: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.closeReason = reason;
    for (let next = this.pending.shift(); next !== undefined; next = this.pending.shift()) {
      next.cancelTimeout();
      next.reject(closedBeforeAnswer(this.broker, nameOf(next.api, next.version), reason));
    }
    const listeners = this.onClosed;
    this.onClosed = [];
    for (const listener of listeners) listener(reason);
  }
}

const API_VERSIONS_KEY = 18;
const UNSUPPORTED_VERSION_CODE = 35;

/** A broker that lacks the ApiVersions version it was asked in answers in version 0 (KIP-511). */
function decodeAnswer(api: Api, version: number, frame: Buffer): unknown {
  const isStepDown =
    api.key === API_VERSIONS_KEY &&
    frame.length >= 6 &&
    frame.readInt16BE(4) === UNSUPPORTED_VERSION_CODE;
  return decodeResponseWithHeader(api, isStepDown ? 0 : version, frame).body;
}

function nameOf({ name }: Api, version: number): string {
  return `${name}@${version}`;
}
