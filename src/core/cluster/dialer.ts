import {
  Connection,
  openSession,
  probe,
  type Address,
  type BrokerCapabilities,
  type ConnectionOptions,
  type Session,
} from '../network/index.js';
import { ConnectionError, TimeoutError, UnsupportedVersionError } from '../util/errors.js';
import type { ClusterOptions } from './options.js';

/** A broker that doesn't say within this time what it understands is taken for one before 0.10. */
const NEGOTIATION_TIMEOUT_MS = 5000;

/** Opens connections, and remembers how to talk to a cluster that is too old to say. */
export class Dialer {
  private oldCapabilities: BrokerCapabilities | undefined;

  constructor(private readonly options: ClusterOptions) {}

  /** A connection with what the broker can do. One attempt. */
  async dial(address: Address, setupTimeoutMs: number, signal: AbortSignal): Promise<Session> {
    const connect = this.connectionOptions(address, setupTimeoutMs);
    if (this.oldCapabilities !== undefined) {
      const connection = await Connection.open(connect, signal);
      return { connection, capabilities: this.oldCapabilities };
    }
    try {
      const requestTimeoutMs = Math.min(connect.requestTimeoutMs, NEGOTIATION_TIMEOUT_MS);
      return await openSession({ ...connect, requestTimeoutMs }, signal);
    } catch (error) {
      if (signal.aborted || !mayBeOld(error)) throw error;
      this.oldCapabilities = await this.probeOld(address, error);
      return this.dial(address, setupTimeoutMs, signal);
    }
  }

  private async probeOld(
    { host, port }: Address,
    cause: unknown,
  ): Promise<BrokerCapabilities | undefined> {
    const { transport, clock, clientId } = this.options;
    try {
      const { version, capabilities } = await probe(host, port, { transport, clock, clientId });
      return isBeforeApiVersions(version) ? capabilities : undefined;
    } catch (error) {
      if (!(error instanceof UnsupportedVersionError)) throw error;
      // It answers nothing: more likely it is overloaded than that it is no broker.
      throw new ConnectionError(error.message, { cause });
    }
  }

  private connectionOptions(address: Address, setupTimeoutMs: number): ConnectionOptions {
    const { transport, clock, clientId, requestTimeoutMs, maxResponseBytes } = this.options;
    return {
      address,
      transport,
      clock,
      clientId,
      requestTimeoutMs,
      setupTimeoutMs,
      maxResponseBytes,
    };
  }
}

function mayBeOld(error: unknown): boolean {
  if (error instanceof TimeoutError) return true;
  return error instanceof ConnectionError && error.code === 'DISCONNECTED';
}

function isBeforeApiVersions(version: string): boolean {
  return /^0\.[89]/.test(version);
}
