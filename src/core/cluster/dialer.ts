import {
  Connection,
  formatAddress,
  isUnanswered,
  openSession,
  probe,
  type Address,
  type BrokerCapabilities,
  type ConnectionOptions,
  type Session,
} from '../network/index.js';
import { ConnectionError, UnsupportedVersionError } from '../util/errors.js';
import type { NodeTraffic } from './metrics.js';
import type { ClusterOptions } from './options.js';

/** A broker that doesn't say within this time what it understands is taken for one before 0.10. */
const NEGOTIATION_TIMEOUT_MS = 5000;

/** Opens connections, and remembers which brokers are too old to say what they understand. */
export class Dialer {
  private readonly old = new Map<string, BrokerCapabilities>();

  constructor(private readonly options: ClusterOptions) {}

  /** A connection with what the broker can do. One attempt. */
  async dial(
    address: Address,
    bounds: { readonly setupTimeoutMs: number; readonly signal: AbortSignal },
    traffic: NodeTraffic,
  ): Promise<Session> {
    const connect = this.connectionOptions(address, bounds.setupTimeoutMs, traffic);
    const session = await this.open(connect, bounds.signal);
    traffic.connectionOpened();
    session.connection.whenClosed(() => traffic.connectionClosed());
    return session;
  }

  private async open(connect: ConnectionOptions, signal: AbortSignal): Promise<Session> {
    const { address } = connect;
    const known = this.old.get(formatAddress(address));
    if (known !== undefined) return this.openOld(connect, known, signal);
    try {
      const negotiationTimeoutMs = Math.min(connect.requestTimeoutMs, NEGOTIATION_TIMEOUT_MS);
      return await openSession({ ...connect, negotiationTimeoutMs }, signal);
    } catch (error) {
      if (signal.aborted || !isUnanswered(error)) throw error;
      const capabilities = await this.probeOld(address, error, signal);
      if (capabilities === undefined) throw error;
      return this.openOld(connect, capabilities, signal);
    }
  }

  private async openOld(
    connect: ConnectionOptions,
    capabilities: BrokerCapabilities,
    signal: AbortSignal,
  ): Promise<Session> {
    const address = formatAddress(connect.address);
    try {
      const connection = await Connection.open(connect, signal);
      this.old.set(address, capabilities);
      return { connection, capabilities };
    } catch (error) {
      // It was away, and may be a newer one when it comes back.
      this.old.delete(address);
      throw error;
    }
  }

  private async probeOld(
    { host, port }: Address,
    cause: unknown,
    signal: AbortSignal,
  ): Promise<BrokerCapabilities | undefined> {
    const { transport, clock, clientId } = this.options;
    try {
      const { version, capabilities } = await probe(host, port, {
        transport,
        clock,
        clientId,
        signal,
      });
      return isBeforeApiVersions(version) ? capabilities : undefined;
    } catch (error) {
      if (!(error instanceof UnsupportedVersionError)) throw error;
      // It answers nothing: more likely it is overloaded than that it is no broker.
      throw new ConnectionError(error.message, { cause });
    }
  }

  private connectionOptions(
    address: Address,
    setupTimeoutMs: number,
    traffic: NodeTraffic,
  ): ConnectionOptions {
    const { transport, clock, clientId, requestTimeoutMs, maxResponseBytes } = this.options;
    return {
      address,
      transport,
      clock,
      clientId,
      requestTimeoutMs,
      setupTimeoutMs,
      maxResponseBytes,
      traffic,
    };
  }
}

function isBeforeApiVersions(version: string): boolean {
  return /^0\.[89]/.test(version);
}
