import { lookup as systemLookup } from 'node:dns';
import { connect, type Socket } from 'node:net';
import type { Cancel, Clock } from '../util/clock.js';
import { ConnectionError } from '../util/errors.js';
import { AddressOrder } from './address-order.js';
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
  const order = new AddressOrder();
  return {
    open(address, events, { setupTimeoutMs }) {
      return new TcpLink(address, events, { clock, lookup, order, setupTimeoutMs });
    },
  };
}

interface TcpLinkOptions extends Required<TcpOptions> {
  readonly order: AddressOrder;
  readonly setupTimeoutMs: number;
}

class TcpLink implements Link {
  private socket: Socket | undefined;
  /** The address that the connection was opened to. */
  private openIp: string | undefined;
  private isClosed = false;
  private readonly deadline: number;
  private readonly cancelLookup: Cancel;

  constructor(
    private readonly address: Address,
    private readonly events: LinkEvents,
    private readonly options: TcpLinkOptions,
  ) {
    const { clock, lookup, order, setupTimeoutMs } = options;
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
        const ips = found.map(({ address: ip }) => ip);
        this.tryNext(order.of(address.host, ips));
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
    if (error !== undefined) this.noteBroken();
    this.close(error);
  }

  private tryNext(ips: readonly string[], previous?: Error): void {
    const [ip, ...rest] = ips;
    if (ip === undefined) {
      const reason = previous === undefined ? 'the host name has no address' : previous.message;
      this.close(this.failure(reason, previous));
      return;
    }
    const share = (this.deadline - this.options.clock.monotonic()) / ips.length;
    this.attempt(ip, share, (error) => this.tryNext(rest, error));
  }

  private attempt(ip: string, timeoutMs: number, onFailure: (error: Error) => void): void {
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
    const { clock, setupTimeoutMs } = this.options;
    const cancel = clock.schedule(Math.max(1, timeoutMs), () =>
      socket.destroy(new Error(`no connection within ${Math.round(setupTimeoutMs)} ms`)),
    );
    socket.once('connect', () => {
      this.openIp = ip;
      cancel();
      this.events.onOpen();
    });
    socket.on('error', (error) => (failed = error));
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      cancel();
      if (this.isClosed) return;
      if (this.openIp === undefined) {
        onFailure(failed ?? new Error('the connection was closed'));
        return;
      }
      this.noteBroken();
      this.close(failed);
    });
  }

  private noteBroken(): void {
    const { openIp } = this;
    if (openIp !== undefined) this.options.order.noteBroken(this.address.host, openIp);
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
