import { inspect } from 'node:util';
import type { ConsumerOptions } from '../../core/consumer/options.js';
import { headerList } from '../../core/producer/check-record.js';
import type { HeadersInput } from '../../core/producer/index.js';
import type { Serde } from '../../core/serde/index.js';
import type { LetteredContent } from './marble-log.js';

/** What a key or value of that type is given as: without a serde, text or bytes. */
export type Definable<T> = ([T] extends [Buffer | null] ? string | Uint8Array : T) | null;

/** What a letter stands for. */
export interface RecordDefinition<K = Buffer | null, V = Buffer | null> {
  /** Default: none. Without a `keySerde`, text or bytes. */
  readonly key?: Definable<K>;
  /** Default: the letter itself. Without a `valueSerde`, text or bytes. */
  readonly value?: Definable<V>;
  /** Default 0. */
  readonly partition?: number;
  /** Default: that of `records()`. */
  readonly topic?: string;
  readonly headers?: HeadersInput;
  /** Milliseconds since 1970. Default: the virtual time at which it is written, which begins at 0. */
  readonly timestamp?: number;
}

/** The records that letters stand for. */
export type RecordDefinitions<K = Buffer | null, V = Buffer | null> = Readonly<
  Record<string, RecordDefinition<K, V>>
>;

/** How the consumer of retry topics works. */
export type RetriesOptions = Pick<ConsumerOptions, TestableOption>;

/** The options of a consumer that mean something where nothing is fetched. */
type TestableOption =
  | 'ack'
  | 'abandonOnUnsubscribe'
  | 'drainTimeoutMs'
  | 'maxPollRecords'
  | 'maxUnackedRecords'
  | 'nackBackoffMs'
  | 'nackBackoffMaxMs'
  | 'onNack';

/** How a diagram of records is read, and how its consumer works: names and defaults are a consumer's. */
export interface RecordsOptions<K = unknown, V = unknown> extends Pick<
  ConsumerOptions,
  TestableOption
> {
  /** Default `'orders'`, then `'orders2'` and so on. */
  readonly topic?: string;
  /** Writes the keys of the definitions and reads those of the records. Default: text becomes bytes. */
  readonly keySerde?: Serde<K>;
  /** As `keySerde`, for values. */
  readonly valueSerde?: Serde<V>;
  /** What `#` stands for: the stream fails with it, as a consumer's does. Default `'error'`. */
  readonly error?: unknown;
}

/** Definitions, whatever their types. */
export type AnyDefinitions = Readonly<Record<string, RecordDefinition<unknown, unknown>>>;

type AnySerde = Pick<Serde<never>, 'serialize'>;

interface Defaults {
  readonly topic: string;
  readonly keySerde: AnySerde | undefined;
  readonly valueSerde: AnySerde | undefined;
}

/** The bytes that letters stand for. */
export function contentsOf(
  letters: Iterable<string>,
  definitions: AnyDefinitions,
  { topic: defaultTopic, keySerde, valueSerde }: Defaults,
): Map<string, LetteredContent> {
  const contents = new Map<string, LetteredContent>();
  for (const letter of letters) {
    const definition = definitions[letter] ?? {};
    checkDefinition(letter, definition);
    const { topic = defaultTopic, partition = 0, key, headers, timestamp } = definition;
    const value = 'value' in definition ? definition.value : letter;
    const content = {
      key: serialized(letter, 'key', key, keySerde),
      value: serialized(letter, 'value', value, valueSerde),
      headers: headerList(headers),
      ...(timestamp !== undefined && { timestamp }),
    };
    contents.set(letter, { letter, topic, partition, content });
  }
  return contents;
}

const FIELDS = ['topic', 'partition', 'key', 'value', 'headers', 'timestamp'];

function checkDefinition(letter: string, definition: unknown): void {
  if (typeof definition !== 'object' || definition === null) {
    throw new TypeError(
      `Record ${letter} is defined as ${inspect(definition)}: say what of it that is, as in ` +
        `{ ${letter}: { value: ${inspect(definition)} } }`,
    );
  }
  for (const name of Object.keys(definition)) {
    if (FIELDS.includes(name)) continue;
    throw new TypeError(`Record ${letter} can't have '${name}'; it has ${FIELDS.join(', ')}`);
  }
}

function serialized(
  letter: string,
  part: 'key' | 'value',
  value: unknown,
  serde: AnySerde | undefined,
): Uint8Array | string | null {
  if (value === null || value === undefined) return null;
  if (serde !== undefined) return serde.serialize(value as never);
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw new TypeError(
    `The ${part} of record ${letter} is of type ${typeof value}: without a ${part}Serde, such as ` +
      `${part}Serde: json(), it can only be text, bytes or null`,
  );
}

/** What is wrong with a letter that has no definition, though others have. */
export function complaintAboutLetter(
  letter: string,
  definitions: AnyDefinitions | undefined,
): string | undefined {
  if (definitions === undefined || Object.hasOwn(definitions, letter)) return undefined;
  const known = Object.keys(definitions).join(', ');
  return (
    `there is no definition of ${letter}, only of ${known === '' ? 'nothing' : known}; ` +
    `add ${letter}: { key: ..., value: ... }`
  );
}
