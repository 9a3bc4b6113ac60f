import { apis, brokerError, type ResponseOf } from '../protocol/index.js';
import {
  ConnectionError,
  ProtocolError,
  UnsupportedVersionError,
  type KafkaError,
} from '../util/errors.js';
import { findVersion, type BrokerCapabilities } from './api-versions.js';
import { Connection, type ConnectionOptions } from './connection.js';

const { ApiVersions } = apis;
const NONE = 0;
const UNSUPPORTED_VERSION = 35;
const FIRST_VERSION_WITH_FEATURES = 3;

/** A connection with what the broker at its other end can do. */
export interface Session {
  readonly connection: Connection;
  readonly capabilities: BrokerCapabilities;
}

export interface SessionOptions extends ConnectionOptions {
  /** How long the broker may take to say what it understands, in ms. Default `requestTimeoutMs`. */
  readonly negotiationTimeoutMs?: number;
}

/** How this library names itself to brokers (KIP-511). */
export const clientSoftware = { name: 'rx-kafka', version: '0.1.0' } as const;

/**
 * Opens a connection and asks the broker what it understands, as the first request on it (KIP-35).
 * Asks in the newest version, steps down to the one that the broker names, and tries again in
 * version 0 with a broker that hangs up instead.
 *
 * @throws ConnectionError with code `DISCONNECTED` for a broker before 0.10 that hangs up even
 * then, TimeoutError for one that doesn't answer at all.
 */
export async function openSession(options: SessionOptions, signal?: AbortSignal): Promise<Session> {
  try {
    return await attempt(options, askInNewest, signal);
  } catch (error) {
    if (!isHangUp(error) || signal?.aborted === true) throw error;
    return await attempt(options, askAfterHangUp, signal);
  }
}

type Ask = (connection: Connection, timeoutMs: number) => Promise<BrokerCapabilities>;

const askInNewest: Ask = (connection, timeoutMs) =>
  negotiate(connection, ApiVersions.maxStableVersion, timeoutMs);

/** A broker that knows newer versions hung up for another reason, and tells its features in those. */
const askAfterHangUp: Ask = async (connection, timeoutMs) => {
  const found = await negotiate(connection, 0, timeoutMs);
  const newest = findVersion(ApiVersions, found) ?? 0;
  return newest < FIRST_VERSION_WITH_FEATURES ? found : negotiate(connection, newest, timeoutMs);
};

async function attempt(
  options: SessionOptions,
  ask: Ask,
  signal: AbortSignal | undefined,
): Promise<Session> {
  const connection = await Connection.open(options, signal);
  const heedNoMore = closeOnAbort(connection, signal);
  try {
    const timeoutMs = options.negotiationTimeoutMs ?? options.requestTimeoutMs;
    return { connection, capabilities: await ask(connection, timeoutMs) };
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    heedNoMore();
  }
}

/** Closes a connection when that is wanted, be it in the moment in which it opened. */
export function closeOnAbort(connection: Connection, signal: AbortSignal | undefined): () => void {
  const abort = () => connection.close(signal?.reason as Error);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  return () => signal?.removeEventListener('abort', abort);
}

async function negotiate(
  connection: Connection,
  version: number,
  timeoutMs: number,
): Promise<BrokerCapabilities> {
  const body = {
    clientSoftwareName: clientSoftware.name,
    clientSoftwareVersion: clientSoftware.version,
  };
  const answer = await connection.request(ApiVersions, version, body, timeoutMs);
  if (answer.errorCode === NONE) return capabilitiesFrom(answer);
  const lower = stepDown(answer, version);
  if (lower === undefined) throw refused(answer.errorCode, version);
  return negotiate(connection, lower, timeoutMs);
}

/** The version to ask in next, below the one that was refused. */
function stepDown(answer: ResponseOf<typeof ApiVersions>, refusedVersion: number) {
  if (answer.errorCode !== UNSUPPORTED_VERSION || refusedVersion === 0) return undefined;
  // Brokers before 2.4 refuse without naming what they have.
  const named = answer.apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key)?.maxVersion ?? 0;
  return Math.min(named, refusedVersion - 1);
}

function capabilitiesFrom(answer: ResponseOf<typeof ApiVersions>): BrokerCapabilities {
  return {
    apis: new Map(
      answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
        apiKey,
        { min: minVersion, max: maxVersion },
      ]),
    ),
    features: new Map(
      answer.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]),
    ),
  };
}

function refused(code: number, version: number): KafkaError {
  const { name, message } = brokerError(code);
  return new UnsupportedVersionError(
    `The broker refused ApiVersions@${version} with ${name}: ${message}`,
    { code: name },
  );
}

/** The broker closed the connection; not: we did, because what it said is not Kafka's. */
function isHangUp(error: unknown): boolean {
  return (
    error instanceof ConnectionError &&
    error.code === 'DISCONNECTED' &&
    !(error.cause instanceof ProtocolError)
  );
}
