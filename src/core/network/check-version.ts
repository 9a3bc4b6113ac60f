import { apis, type VersionRange } from '../protocol/index.js';
import { systemClock, type Clock } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import { ConnectionError, TimeoutError, UnsupportedVersionError } from '../util/errors.js';
import {
  capabilitiesOf,
  inferRelease,
  usableVersions,
  type BrokerCapabilities,
  type OldVersion,
} from './api-versions.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { closeOnAbort, openSession } from './negotiate.js';
import { tcpTransport } from './tcp.js';
import { formatAddress, type Transport } from './transport.js';

/** How {@link checkVersion} asks. */
export interface CheckVersionOptions {
  /** Default: TCP. */
  readonly transport?: Transport;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Time for the first probe; each one that is left unanswered halves it. Default 2,000 ms. */
  readonly timeoutMs?: number;
  /** What brokers put into their logs. Default `'rx-kafka'`. */
  readonly clientId?: string;
  /** Gives up when it aborts. */
  readonly signal?: AbortSignal;
}

/** What {@link checkVersion} found out. */
export interface BrokerVersion {
  /** The release line, as in `4.3`, `2.8` or `0.10.2`. */
  readonly version: string;
  /** The versions of each API that both this library and the broker have. */
  readonly apis: Readonly<Record<string, VersionRange>>;
}

/**
 * Finds out which release of Kafka a broker runs, from 0.8.0 to 4.3.
 *
 * Brokers since 0.10 say what they understand, which gives the release away. Older ones hang up or
 * stay silent on a request they don't know, so they are probed, each time on a new connection, with
 * requests from the newest to the oldest until one is answered.
 *
 * @throws ConnectionError when nobody listens there, or who listens doesn't speak Kafka.
 * @example
 * const { version } = await checkVersion('localhost', 9092); // '4.3'
 */
export async function checkVersion(
  host: string,
  port: number,
  options: CheckVersionOptions = {},
): Promise<BrokerVersion> {
  const { version, capabilities } = await probe(host, port, options);
  return { version, apis: usableVersions(capabilities) };
}

/** As {@link checkVersion}, with what the broker itself advertises. */
export async function probe(
  host: string,
  port: number,
  options: CheckVersionOptions = {},
): Promise<{ version: string; capabilities: BrokerCapabilities }> {
  const clock = options.clock ?? systemClock;
  const connect: ConnectionOptions = {
    address: { host, port },
    transport: options.transport ?? tcpTransport({ clock }),
    clock,
    clientId: options.clientId ?? 'rx-kafka',
    requestTimeoutMs: options.timeoutMs ?? 2000,
    setupTimeoutMs: 10_000,
    maxResponseBytes: 16 * 1024 * 1024,
  };
  try {
    return await askModern(connect, options.signal);
  } catch (error) {
    if (!isUnanswered(error) || options.signal?.aborted === true) throw error;
    const timeoutMs = nextTimeout(connect.requestTimeoutMs, error);
    const found = await probeOld({ ...connect, requestTimeoutMs: timeoutMs }, options.signal);
    return found ?? (await askModern(connect, options.signal));
  }
}

async function askModern(options: ConnectionOptions, signal: AbortSignal | undefined) {
  const { connection, capabilities } = await openSession(options, signal);
  connection.close();
  return { version: inferRelease(capabilities), capabilities };
}

const SHORTEST_WAIT_MS = 250;

interface Probe {
  readonly version: OldVersion;
  readonly ask: (connection: Connection) => Promise<unknown>;
}

/** What each line understood first. */
const probes: readonly Probe[] = [
  { version: '0.9', ask: (c) => c.request(apis.ListGroups, 0, {}) },
  { version: '0.8.2', ask: (c) => c.request(apis.FindCoordinator, 0, { key: 'rx-kafka-probe' }) },
  {
    version: '0.8.1',
    ask: (c) => c.request(apis.OffsetFetch, 0, { groupId: 'rx-kafka-probe', topics: [] }),
  },
  { version: '0.8.0', ask: (c) => c.request(apis.Metadata, 0, { topics: [] }) },
];

/** `undefined` where the broker does say what it understands, after all. */
async function probeOld(options: ConnectionOptions, signal: AbortSignal | undefined) {
  let requestTimeoutMs = options.requestTimeoutMs;
  for (const { version, ask } of probes) {
    const connection = await Connection.open({ ...options, requestTimeoutMs }, signal);
    const heedNoMore = closeOnAbort(connection, signal);
    try {
      const askedAt = options.clock.monotonic();
      await ask(connection);
      // It is awake now, so that what it understands it answers as soon.
      const patienceMs = Math.max(SHORTEST_WAIT_MS, 4 * (options.clock.monotonic() - askedAt));
      if (await wasOnlySlow(connection, patienceMs, signal)) return undefined;
      return { version, capabilities: capabilitiesOf(version) };
    } catch (error) {
      if (!isUnanswered(error) || signal?.aborted === true) throw error;
      requestTimeoutMs = nextTimeout(requestTimeoutMs, error);
    } finally {
      heedNoMore();
      connection.close();
    }
  }
  throw new UnsupportedVersionError(
    `${formatAddress(options.address)} accepts connections but answers no Kafka request; ` +
      `is it a Kafka broker, and does it expect TLS?`,
  );
}

/** Newer brokers answer the probes as well, so one that had stalled would pass for an old one. */
async function wasOnlySlow(
  connection: Connection,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await connection.request(apis.ApiVersions, 0, {}, timeoutMs);
    return true;
  } catch (error) {
    if (!isUnanswered(error) || signal?.aborted === true) throw error;
    return false;
  }
}

/** Whether a request, and not the broker's answer to it, came to nothing. */
export function isUnanswered(error: unknown): error is KafkaError {
  if (error instanceof TimeoutError) return true;
  return error instanceof ConnectionError && error.code === 'DISCONNECTED';
}

/** A broker that leaves one probe unanswered will do so again: wait less the next time. */
function nextTimeout(timeoutMs: number, error: KafkaError): number {
  return error instanceof TimeoutError ? Math.max(SHORTEST_WAIT_MS, timeoutMs / 2) : timeoutMs;
}
