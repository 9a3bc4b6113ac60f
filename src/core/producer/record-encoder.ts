import type { Serialized, SerializerContext } from '../serde/index.js';
import type { Clock } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import type { EncodedRecord } from './accumulator.js';
import { complaintAbout, complaintAboutTopic, headerList, serialized } from './check-record.js';
import { invalidRecord, recordTooLarge, serializationFailure, unreadableRecord } from './errors.js';
import type { ResolvedProducerOptions } from './options.js';
import type { HeaderList, ProducerRecord, Submitter } from './record.js';

/** Room that a record takes besides its key, value and headers: at most. */
const MAX_OVERHEAD_BYTES = 100;

/** A record without the topic that it is for. */
export type Unaddressed = Omit<ProducerRecord, 'topic'>;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Checks records and serializes them. */
export class RecordEncoder {
  /** The record in hand. One object for all of them: none outlives its call, but by a copy. */
  private readonly scratch: Writable<EncodedRecord> = {
    key: null,
    value: null,
    headers: [],
    partition: undefined,
    // No number: a field that V8 only knows numbers in is boxed anew each time it is read.
    timestamp: undefined as never,
    submitter: undefined as never,
    token: undefined,
  };
  private lastContext: SerializerContext = { topic: '' };

  constructor(
    private readonly clock: Clock,
    private readonly options: Pick<ResolvedProducerOptions, 'maxRequestSize' | 'partitioner'>,
  ) {}

  /**
   * What is wrong with a record, or its parts as they are stored, valid until the next call. It may be
   * anything, also something that throws as it is looked at.
   */
  read(
    topic: string,
    record: Unaddressed,
    submitter: Submitter,
    token: unknown,
  ): EncodedRecord | KafkaError {
    if (typeof topic !== 'string') return invalidRecord('', complaintAboutTopic(topic)!);
    try {
      return this.encode(topic, record, submitter, token);
    } catch (cause) {
      return unreadableRecord(topic, cause);
    }
  }

  private encode(
    topic: string,
    record: Unaddressed,
    submitter: Submitter,
    token: unknown,
  ): EncodedRecord | KafkaError {
    const complaint = complaintAbout(record);
    if (complaint !== undefined) return invalidRecord(topic, complaint);
    const { key, value, headers, partition, timestamp } = record;
    const context = this.contextOf(topic);
    let keyBytes: Serialized = null;
    let valueBytes: Serialized = null;
    let part: 'key' | 'value' = 'key';
    try {
      if (key !== undefined && key !== null) {
        keyBytes = serialized(submitter.serializeKey(key as never, context));
      }
      part = 'value';
      if (value !== undefined && value !== null) {
        valueBytes = serialized(submitter.serializeValue(value as never, context));
      }
    } catch (error) {
      return serializationFailure(topic, part, error);
    }
    const { maxRequestSize, partitioner } = this.options;
    const list = headerList(headers);
    if (boundOf(keyBytes, valueBytes, list) > maxRequestSize) {
      const bytes = sizeOf(keyBytes, valueBytes, list);
      if (bytes > maxRequestSize) return recordTooLarge(topic, bytes, maxRequestSize);
    }
    const { scratch } = this;
    scratch.key = keyBytes;
    scratch.value = valueBytes;
    scratch.headers = list;
    scratch.partition = partition;
    scratch.timestamp = timestamp ?? this.clock.now();
    scratch.submitter = submitter;
    scratch.token = token;
    // A partitioner of the user's might send a record itself.
    return partitioner === undefined ? scratch : { ...scratch };
  }

  /** One for all the records of a topic that come in a row. */
  private contextOf(topic: string): SerializerContext {
    if (this.lastContext.topic !== topic) this.lastContext = { topic };
    return this.lastContext;
  }
}

/** An upper bound of the bytes that a record takes, without looking into strings. */
function boundOf(key: Serialized, value: Serialized, headers: HeaderList): number {
  let bytes = MAX_OVERHEAD_BYTES + boundOfPart(key) + boundOfPart(value);
  for (const [name, part] of headers) bytes += boundOfPart(name) + boundOfPart(part) + 10;
  return bytes;
}

function boundOfPart(part: Serialized): number {
  if (part === null) return 0;
  return typeof part === 'string' ? part.length * 3 : part.length;
}

function sizeOf(key: Serialized, value: Serialized, headers: HeaderList): number {
  const size = (part: Serialized) => (part === null ? 0 : Buffer.byteLength(part));
  let bytes = MAX_OVERHEAD_BYTES + size(key) + size(value);
  for (const [name, part] of headers) bytes += size(name) + size(part) + 10;
  return bytes;
}
