import { deserializeFunction, type Deserializer } from '../serde/index.js';
import { SerializationError } from '../util/errors.js';
import { badOption } from '../util/options.js';
import type { ConsumerRecord } from './consumer-record.js';
import type { DeserializationFailure } from './options.js';

/** How bytes become keys and values. Without a deserializer they stay bytes, cut out on access. */
export interface DeserializerOptions<K, V> {
  readonly keyDeserializer?: Deserializer<K>;
  readonly valueDeserializer?: Deserializer<V>;
}

/** Done, or not yet. Rejects with the failure of an asynchronous deserializer. */
type Decoded = undefined | Promise<void>;

/** Turns the bytes of records into keys and values, before they are delivered. */
export class Decoder {
  private readonly decodeKey;
  private readonly decodeValue;

  constructor({ keyDeserializer, valueDeserializer }: DeserializerOptions<unknown, unknown>) {
    for (const [name, given] of Object.entries({ keyDeserializer, valueDeserializer })) {
      const isSound =
        given === undefined ||
        typeof given === 'function' ||
        typeof given.deserialize === 'function';
      if (isSound) continue;
      throw badOption('consumer', name, given, 'must be a function or have a deserialize method');
    }
    this.decodeKey = keyDeserializer && deserializeFunction(keyDeserializer);
    this.decodeValue = valueDeserializer && deserializeFunction(valueDeserializer);
  }

  /** Whether there is nothing to do: records are read lazily. */
  get isIdle(): boolean {
    return this.decodeKey === undefined && this.decodeValue === undefined;
  }

  /**
   * Decodes a record in place.
   *
   * @throws UndecodableRecord when a deserializer does.
   */
  decode(record: ConsumerRecord<unknown, unknown>): Decoded {
    const { decodeKey, decodeValue } = this;
    const context = { topic: record.topic, record };
    const key = decodeKey && part(record, 'key', record.rawKey, (b) => decodeKey(b, context));
    let value: unknown;
    try {
      value = decodeValue && part(record, 'value', record.rawValue, (b) => decodeValue(b, context));
    } catch (error) {
      // The key may fail too, with nobody listening any more.
      if (isPromise(key)) key.then(undefined, () => undefined);
      throw error;
    }
    if (!isPromise(key) && !isPromise(value)) {
      if (decodeKey !== undefined) record.decodedKeyIs(key);
      if (decodeValue !== undefined) record.decodedValueIs(value);
      return undefined;
    }
    return Promise.all([later(record, 'key', key), later(record, 'value', value)]).then(
      ([lateKey, lateValue]) => {
        if (decodeKey !== undefined) record.decodedKeyIs(lateKey);
        if (decodeValue !== undefined) record.decodedValueIs(lateValue);
      },
    );
  }
}

/** What a deserializer threw, with where. */
export class UndecodableRecord extends Error {
  constructor(readonly failure: DeserializationFailure) {
    super(failure.error.message, { cause: failure.error });
  }
}

type Part = 'key' | 'value';

function part(
  record: ConsumerRecord<unknown, unknown>,
  name: Part,
  bytes: Buffer | null,
  decode: (bytes: Buffer) => unknown,
): unknown {
  if (bytes === null) return null;
  try {
    return decode(bytes);
  } catch (cause) {
    throw undecodable(record, name, cause);
  }
}

async function later(
  record: ConsumerRecord<unknown, unknown>,
  name: Part,
  value: unknown,
): Promise<unknown> {
  try {
    return await value;
  } catch (cause) {
    throw undecodable(record, name, cause);
  }
}

function undecodable(
  record: ConsumerRecord<unknown, unknown>,
  name: Part,
  cause: unknown,
): UndecodableRecord {
  const { topic, partition, offset } = record;
  const bytes = (name === 'key' ? record.rawKey : record.rawValue) ?? Buffer.alloc(0);
  const reason = cause instanceof Error ? cause.message : String(cause);
  const error = new SerializationError(
    `Cannot deserialize the ${name} of the record at ${topic}-${partition} offset ${offset}: ${reason}`,
    { code: 'DESERIALIZATION_FAILED', context: { topic, partition, offset }, cause },
  );
  return new UndecodableRecord({ topic, partition, offset, part: name, bytes, error });
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}
