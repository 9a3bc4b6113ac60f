import type { Serialized } from '../serde/index.js';
import type { HeaderList, ProducerRecord } from './record.js';

const FORM = 'a record is an object such as { key, value, headers }';
const HINT = 'a sink makes records of plain values with toRecord, as in (value) => ({ value })';
const LEGAL_TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

/** Why no broker would take a topic by that name; `undefined` for nothing. */
export function complaintAboutTopic(topic: unknown): string | undefined {
  if (topic === undefined || topic === null || topic === '') return 'it names no topic';
  if (typeof topic !== 'string') {
    ignoreRejection(topic);
    return `a topic is named by a string, not by ${describe(topic)}`;
  }
  if (LEGAL_TOPIC.test(topic)) return undefined;
  return (
    `'${topic}' is not a legal topic name, which is of at most 249 letters and digits, '.', '_' ` +
    `and '-', and neither '.' nor '..'`
  );
}

/**
 * What is wrong with the form of a record, whoever wrote it without types; `undefined` for nothing.
 * Plain values are told from records here: sent as records they would be stored empty.
 */
export function complaintAbout(record: unknown): string | undefined {
  if (typeof record !== 'object' || record === null) {
    return `${FORM}, not ${describe(record)}; ${HINT}`;
  }
  const { key, value, headers, timestamp } = record as ProducerRecord;
  if (value === undefined && key === undefined && headers === undefined) {
    ignoreRejection(record);
    return `${FORM}, and this has none of them; ${HINT}; for a tombstone set value to null`;
  }
  if (timestamp !== undefined && (!Number.isSafeInteger(timestamp) || timestamp < 0)) {
    return `the timestamp must be a whole number of milliseconds since 1970, not ${describe(timestamp)}`;
  }
  return headers === undefined ? undefined : complaintAboutHeaders(headers);
}

/** What a serializer returned, if it is something that can be sent. */
export function serialized(result: unknown): Serialized {
  if (typeof result === 'string' || result === null || result instanceof Uint8Array) return result;
  ignoreRejection(result);
  const isUncalled = typeof result === 'object' && 'serialize' in result;
  const hint = isUncalled
    ? '; it is to be called, as in json()'
    : result instanceof Promise
      ? '; it must not be asynchronous: serialize before, as with mergeMap'
      : '';
  throw new TypeError(
    `the serializer returned ${describe(result)}, not bytes, text or null${hint}`,
  );
}

/** Of what was to be given at once: the record fails for that, and nobody else will hear of the promise. */
export function ignoreRejection(given: unknown): void {
  if (given instanceof Promise) given.catch(() => undefined);
}

/** Headers of either form as an ordered list. */
export function headerList(headers: ProducerRecord['headers']): HeaderList {
  if (headers === undefined) return NO_HEADERS;
  return Array.isArray(headers) ? (headers as HeaderList) : Object.entries(headers);
}

const NO_HEADERS: HeaderList = [];

function complaintAboutHeaders(headers: unknown): string | undefined {
  const isObject = typeof headers === 'object' && headers !== null;
  if (!isObject || (!Array.isArray(headers) && Symbol.iterator in headers)) {
    return `headers must be a list of pairs, or an object, not ${describe(headers)}`;
  }
  for (const header of headerList(headers as ProducerRecord['headers']) as readonly unknown[]) {
    if (!Array.isArray(header) || typeof header[0] !== 'string') {
      return `a header must be a pair of a name and a value, not ${describe(header)}`;
    }
    const [name, value] = header as [string, unknown];
    if (typeof value === 'string' || value === null || value instanceof Uint8Array) continue;
    return `the value of the header ${name} must be bytes, text or null, not ${describe(value)}`;
  }
  return undefined;
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return `the ${typeof value} ${value}`.slice(0, 80);
  }
  if (typeof value !== 'object') return `a ${typeof value}`;
  const { name } = (value as { constructor?: { name?: string } }).constructor ?? {};
  return name === undefined || name === '' || name === 'Object' ? 'an object' : `a ${name}`;
}
