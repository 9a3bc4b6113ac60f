import { lookup as systemLookup } from 'node:dns';
import { connect, type Socket } from 'node:net';
import type { Cancel, Clock } from '../util/clock.js';
import { ConnectionError } from '../util/errors.js';
import {
  formatAddress,
  type Address,
  type Link,
  type LinkEvents,
  type Transport,
} from './transport.js';

const READ_BUFFER_BYTES = 256 * 1024;

export interface TcpOptions {
  /** Kafka's `socket.connection.setup.timeout.ms` is shared out over a host's addresses. */
  readonly clock: Clock;
  /** Finds the addresses of a host name. Default the system's. */
  readonly lookup?: Lookup;
}

/** As `dns.lookup` with all addresses. */
export type Lookup = (
  host: string,
  options: { readonly all: true },
  done: (
    error: NodeJS.ErrnoException | null,
    found: readonly { readonly address: string }[],
  ) => void,
) => void;

/** Plain TCP. Tries every address that a host name resolves to, one after the other (KIP-302). */
export function tcpTransport({ clock, lookup = systemLookup }: TcpOptions): Transport {
  return {
    open(address, events, { setupTimeoutMs }) {
      return new TcpLink(address, events, clock, lookup, setupTimeoutMs);
    },
  };
}

class TcpLink implements Link {
  private socket: Socket | undefined;
  private isClosed = false;
  private readonly deadline: number;
  private readonly cancelLookup: Cancel;

  constructor(
    private readonly address: Address,
    private readonly events: LinkEvents,
    private readonly clock: Clock,
    lookup: Lookup,
    private readonly setupTimeoutMs: number,
  ) {
    this.deadline = clock.monotonic() + setupTimeoutMs;
    this.cancelLookup = clock.schedule(setupTimeoutMs, () => {
      const allowed = Math.round(setupTimeoutMs);
      this.close(this.failure(`the host name did not resolve within ${allowed} ms`));
    });
    lookup(address.host, { all: true }, (error, found) => {
      if (this.isClosed) return;
      this.cancelLookup();
      if (error !== null) {
        this.close(this.failure(`the host name does not resolve (${error.code ?? ''})`, error));
      } else {
        this.tryNext(found.map(({ address: ip }) => ip));
      }
    });
  }

  get queuedBytes(): number {
    return this.socket?.writableLength ?? 0;
  }

  write(chunks: readonly Uint8Array[]): void {
    const { socket } = this;
    if (socket === undefined || this.isClosed) return;
    if (chunks.length === 1) {
      socket.write(chunks[0]!);
      return;
    }
    socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.uncork();
  }

  destroy(error?: Error): void {
    this.close(error);
  }

  private tryNext(ips: readonly string[], previous?: Error): void {
    const [ip, ...rest] = ips;
    if (ip === undefined) {
      const reason = previous === undefined ? 'the host name has no address' : previous.message;
      this.close(this.failure(reason, previous));
      return;
    }
    const share = (this.deadline - this.clock.monotonic()) / ips.length;
    this.attempt(ip, share, (error) => this.tryNext(rest, error));
  }

  private attempt(ip: string, timeoutMs: number, onFailure: (error: Error) => void): void {
    let isOpen = false;
    let failed: Error | undefined;
    const socket = connect({
      host: ip,
      port: this.address.port,
      noDelay: true,
      keepAlive: true,
      // Bytes go from the one read buffer into the frame they belong to: half the cost of `data`.
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
        callback: (length, buffer) => {
          this.events.onBytes((buffer as Buffer).subarray(0, length));
          return true;
        },
      },
    });
    this.socket = socket;
    const cancel = this.clock.schedule(Math.max(1, timeoutMs), () =>
      socket.destroy(new Error(`no connection within ${Math.round(this.setupTimeoutMs)} ms`)),
    );
    socket.once('connect', () => {
      isOpen = true;
      cancel();
      this.events.onOpen();
    });
    socket.on('error', (error) => (failed = error));
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      cancel();
      if (this.isClosed) return;
      if (isOpen) this.close(failed);
      else onFailure(failed ?? new Error('the connection was closed'));
    });
  }

  private close(error: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.cancelLookup();
    this.socket?.destroy();
    this.events.onClose(error);
  }

  private failure(reason: string, cause?: Error): ConnectionError {
    const broker = formatAddress(this.address);
    return new ConnectionError(`Cannot connect to ${broker}: ${reason}`, {
      context: { broker },
      cause,
    });
  }
}
