import type { Address } from '../network/index.js';
import { ConfigError } from '../util/errors.js';

const FORM = 'a host and a port, as in localhost:9092 or [::1]:9092';

/**
 * Reads `bootstrapServers`: addresses in a list, or separated by commas.
 *
 * @throws ConfigError naming the entry that is no address.
 */
export function parseBootstrapServers(given: string | readonly string[]): Address[] {
  const isList = Array.isArray(given) && given.every((entry) => typeof entry === 'string');
  if (typeof given !== 'string' && !isList) {
    throw new ConfigError(
      `createKafka: option bootstrapServers must be ${FORM}, or a list of them`,
    );
  }
  const entries = [given].flat().flatMap((entry) => entry.split(','));
  const addresses = entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
  if (addresses.length === 0) {
    throw new ConfigError(`createKafka: option bootstrapServers is empty; it must be ${FORM}`);
  }
  return addresses.map(parseAddress);
}

function parseAddress(entry: string): Address {
  const [, protocol = 'PLAINTEXT', place] = /^(?:(\w+):\/\/)?(.*)$/s.exec(entry)!;
  if (protocol.toUpperCase() !== 'PLAINTEXT') {
    throw new ConfigError(
      `createKafka: option bootstrapServers has the entry '${entry}', but ${protocol} is not supported; it must be ${FORM}, of a PLAINTEXT listener`,
    );
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]/\s]+)):(\d+)$/.exec(place!);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new ConfigError(
      `createKafka: option bootstrapServers has the entry '${entry}', which is not ${FORM}`,
    );
  }
  return { host: match[1] ?? match[2]!, port };
}
