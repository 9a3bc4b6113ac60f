import {
  resolveApi,
  type Api,
  type ApiName,
  type ApiOrName,
  type RequestInput,
  type Resolved,
  type ResponseOf,
} from '../protocol/index.js';
import { systemClock, type Clock } from '../util/clock.js';
import { chooseVersion, usableVersions, type BrokerCapabilities } from './api-versions.js';
import { probe } from './check-version.js';
import { Connection } from './connection.js';
import { tcpTransport } from './tcp.js';
import type { Transport } from './transport.js';

export interface ConnectOptions {
  readonly clientId?: string;
  /** How long the broker may take to answer, in ms. Default 30,000. */
  readonly requestTimeoutMs?: number;
  readonly transport?: Transport;
  readonly clock?: Clock;
}

/** A broker at a prompt: any message, in any version that both sides know. */
export interface PromptClient {
  /** The release that the broker runs, as in `4.3`. */
  readonly version: string;
  /** The versions of each API that can be used with this broker. */
  readonly apis: ReturnType<typeof usableVersions>;
  /**
   * Sends a request; without a version, in the newest that both sides know.
   *
   * @throws UnsupportedVersionError when there is none, ProtocolError when the body doesn't fit.
   */
  request<A extends ApiOrName>(
    api: A,
    body: RequestInput<Resolved<A>>,
    options?: { version?: number },
  ): Promise<ResponseOf<Resolved<A>>>;
  close(): void;
}

/**
 * Connects to one broker, of any release from 0.8 on, to talk to it by hand.
 *
 * @throws ConnectionError when nobody listens there, or who listens doesn't speak Kafka.
 * @example
 * const broker = await connect('localhost', 9092);
 * const { topics } = await broker.request('Metadata', { topics: null });
 * broker.close();
 */
export async function connect(
  host: string,
  port: number,
  options: ConnectOptions = {},
): Promise<PromptClient> {
  const clock = options.clock ?? systemClock;
  const transport = options.transport ?? tcpTransport({ clock });
  const clientId = options.clientId ?? 'rx-kafka';
  const { version, capabilities } = await probe(host, port, { clock, transport, clientId });
  const connection = await Connection.open({
    address: { host, port },
    transport,
    clock,
    clientId,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    setupTimeoutMs: 10_000,
    maxResponseBytes: 256 * 1024 * 1024,
  });
  return {
    version,
    apis: usableVersions(capabilities),
    // Async, so that what can't be sent is a rejection like any other.
    request: async (api, body, { version: wanted } = {}) =>
      await connection.request(api, wanted ?? versionFor(api, capabilities), body),
    close: () => connection.close(),
  };
}

function versionFor(api: Api | ApiName, capabilities: BrokerCapabilities): number {
  return chooseVersion(resolveApi(api), capabilities);
}
