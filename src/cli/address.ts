import { parseBootstrapServers } from '../core/cluster/index.js';
import type { Address } from '../core/network/index.js';
import { UsageError } from './command.js';

/** Reads HOST:PORT; a host alone gets Kafka's port. */
export function parseAddress(text: string): Address {
  const withPort = /:\d+$/.test(text) ? text : `${text}:9092`;
  try {
    return parseBootstrapServers(withPort)[0]!;
  } catch {
    throw new UsageError(`'${text}' is not HOST:PORT, as in localhost:9092`);
  }
}
