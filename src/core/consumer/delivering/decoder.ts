import { deserializeFunction, type Deserializer } from '../../serde/index.js';
import { SerializationError } from '../../util/errors.js';
import { badOption } from '../../util/options.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import type { DeserializationFailure } from '../options.js';
import { messageOf } from '../../util/message-of.js';

/** How bytes become keys and values. Without a deserializer they stay bytes, cut out on access. */
export interface DeserializerOptions<K, V> {
  /** Not called for a record without a key. Default: bytes. */
  readonly keyDeserializer?: Deserializer<K>;
  /** Not called for a tombstone, whose value is null. Default: bytes. */
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
   * Decodes in place what of a record is not decoded yet: after a part was replaced that has failed,
   * only the rest.
   *
   * @throws UndecodableRecord when a deserializer does.
   */
  decode(record: ConsumerRecord<unknown, unknown>): Decoded {
    const { decodeKey, decodeValue } = this;
    const context = { topic: record.topic, record };
    let key: PartOutcome;
    let value: PartOutcome;
    if (decodeKey !== undefined && !record.isKeyDecoded) {
      key = part(record, 'key', record.rawKey, (bytes) => decodeKey(bytes, context));
    }
    if (decodeValue !== undefined && !record.isValueDecoded) {
      value = part(record, 'value', record.rawValue, (bytes) => decodeValue(bytes, context));
    }
    if (key === undefined && value === undefined) return undefined;
    return settle(key, value);
  }
}

/** What a deserializer threw, with where. */
export class UndecodableRecord extends Error {
  constructor(readonly failure: DeserializationFailure) {
    super(failure.error.message, { cause: failure.error });
  }
}

type Part = 'key' | 'value';

/** Decoded, to be decoded, or failed. */
type PartOutcome = undefined | Promise<UndecodableRecord | undefined> | UndecodableRecord;

function part(
  record: ConsumerRecord<unknown, unknown>,
  name: Part,
  bytes: Buffer | null,
  decode: (bytes: Buffer) => unknown,
): PartOutcome {
  try {
    const value = bytes === null ? null : decode(bytes);
    if (isPromise(value)) return later(record, name, value);
    accept(record, name, value);
    return undefined;
  } catch (cause) {
    return undecodable(record, name, cause);
  }
}

async function later(
  record: ConsumerRecord<unknown, unknown>,
  name: Part,
  value: PromiseLike<unknown>,
): Promise<UndecodableRecord | undefined> {
  try {
    accept(record, name, await value);
    return undefined;
  } catch (cause) {
    return undecodable(record, name, cause);
  }
}

/** Puts what a part was decoded to, or was replaced by, in its place. */
export function accept(record: ConsumerRecord<unknown, unknown>, name: Part, value: unknown): void {
  if (name === 'key') record.decodedKeyIs(value);
  else record.decodedValueIs(value);
}

/** Both parts have to be decided before one's failure is told: what became of the other counts. */
function settle(key: PartOutcome, value: PartOutcome): Decoded {
  if (key instanceof Promise || value instanceof Promise) {
    return Promise.all([key, value]).then(([keyFailure, valueFailure]) => {
      throwAny(keyFailure ?? valueFailure);
    });
  }
  throwAny(key ?? value);
  return undefined;
}

function throwAny(failure: UndecodableRecord | undefined): void {
  if (failure !== undefined) throw failure;
}

function undecodable(
  record: ConsumerRecord<unknown, unknown>,
  name: Part,
  cause: unknown,
): UndecodableRecord {
  const { topic, partition, offset } = record;
  const bytes = (name === 'key' ? record.rawKey : record.rawValue) ?? Buffer.alloc(0);
  const reason = messageOf(cause);
  const error = new SerializationError(
    `Cannot deserialize the ${name} of the record at ${topic}-${partition} offset ${offset}: ${reason}`,
    { code: 'DESERIALIZATION_FAILED', context: { topic, partition, offset }, cause },
  );
  return new UndecodableRecord({ topic, partition, offset, part: name, bytes, error });
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}
