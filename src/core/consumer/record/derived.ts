import { Originating, type Origin, type WithOrigins } from '../../records/index.js';

type HeaderList = readonly (readonly [name: string, value: Uint8Array | string | null])[];

/** What {@link ConsumerRecord.derive} changes; the rest is as in the record it is called on. */
export interface DeriveOptions<K = unknown, V = unknown> {
  readonly topic?: string;
  readonly partition?: number;
  readonly timestamp?: number;
  readonly key?: K;
  readonly value?: V;
  readonly headers?: HeaderList;
}

/** An outgoing record that remembers what it was made from. Sinks ack that once this is written. */
export interface DerivedRecord<K = unknown, V = unknown> extends WithOrigins {
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly timestamp?: number | undefined;
  readonly key: K;
  readonly value: V;
  readonly headers: HeaderList;
}

/** @internal */
export class Derived<K, V> extends Originating implements DerivedRecord<K, V> {
  constructor(
    readonly topic: string | undefined,
    readonly partition: number | undefined,
    readonly timestamp: number | undefined,
    readonly key: K,
    readonly value: V,
    readonly headers: HeaderList,
    origins: readonly Origin[],
  ) {
    super(origins);
  }
}
