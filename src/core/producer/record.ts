import type { HeaderContent } from '../records/index.js';
import type { SerializeFunction } from '../serde/index.js';
import type { KafkaError } from '../util/errors.js';

/** Headers to send: an ordered list, or an object where the order doesn't matter. */
export type HeadersInput = HeaderList | Readonly<Record<string, Uint8Array | string | null>>;

/** Headers as the builder takes them. */
export type HeaderList = readonly HeaderContent[];

/** A record on its way to a topic. */
export interface ProducerRecord<K = unknown, V = unknown> {
  readonly topic: string;
  /** Records with equal keys go to the same partition. Without one, wherever there is room. */
  readonly key?: K | null | undefined;
  /** `null` is a tombstone: on a compacted topic it deletes the key. */
  readonly value?: V | null | undefined;
  readonly headers?: HeadersInput | undefined;
  /** Overrides the partitioner. */
  readonly partition?: number | undefined;
  /** Milliseconds since 1970. Default now; a topic with LogAppendTime replaces it. */
  readonly timestamp?: number | undefined;
}

/** What the broker said of a record that it has accepted. */
export interface Receipt<Origin = undefined> {
  readonly topic: string;
  readonly partition: number;
  /** -1 where the broker doesn't tell: with `acks: 0`, or for a retry that it had already. */
  readonly offset: number;
  /** Milliseconds since 1970: the record's own, or the broker's with LogAppendTime; -1 before Kafka 0.10. */
  readonly timestamp: number;
  /** What was sent, so that a receipt can be matched with it. */
  readonly origin: Origin;
}

/**
 * Where the outcome of a record goes. One object serves a whole sink; the token tells the records
 * apart, so that the hot path needs neither a closure nor a promise for each.
 */
export interface Submitter<Token = unknown> {
  readonly serializeKey: SerializeFunction<never>;
  readonly serializeValue: SerializeFunction<never>;
  /** Its records may be given up for newer ones, as long as they can be: see `SinkEngine.dropOldest`. */
  readonly dropsOldest?: boolean;
  /** What waits on the heap for the outcome of a record that takes so many bytes encoded. */
  heldBytes(encodedBytes: number): number;
  acknowledged(
    token: Token,
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
  ): void;
  failed(token: Token, error: KafkaError): void;
}
