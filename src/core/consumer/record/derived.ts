import {
  Originating,
  type HeaderContent,
  type Origin,
  type WithOrigins,
} from '../../records/index.js';

/** What {@link ConsumerRecord.derive} changes; the rest is as in the record it is called on. */
export interface DeriveOptions<K = unknown, V = unknown> {
  readonly topic?: string;
  readonly partition?: number;
  readonly timestamp?: number;
  readonly key?: K;
  readonly value?: V;
  readonly headers?: readonly HeaderContent[];
}

/** An outgoing record that remembers what it was made from. Sinks ack that once this is written. */
export interface DerivedRecord<K = unknown, V = unknown> extends WithOrigins {
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly timestamp?: number | undefined;
  readonly key: K;
  readonly value: V;
  readonly headers: readonly HeaderContent[];
}

/** @internal */
export class Derived<K, V> extends Originating implements DerivedRecord<K, V> {
  constructor(
    readonly topic: string | undefined,
    readonly partition: number | undefined,
    readonly timestamp: number | undefined,
    readonly key: K,
    readonly value: V,
    readonly headers: readonly HeaderContent[],
    origins: readonly Origin[],
  ) {
    super(origins);
  }
}
