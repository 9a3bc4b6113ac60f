import type { Header } from '../records/index.js';

/** What a deserializer may look at besides the bytes. */
export interface DeserializerContext {
  readonly topic: string;
  /** The record that the bytes are part of. */
  readonly record?: {
    readonly partition: number;
    readonly offset: number;
    readonly headers: readonly Header[];
  };
}

/**
 * A function, or an object with one method, that turns bytes into a key or a value; it may return a
 * promise. It never sees null: a tombstone's value is null whatever the deserializer, so say
 * `json<Order | null>()` where there are tombstones.
 */
export type Deserializer<T> =
  | ((bytes: Buffer, context: DeserializerContext) => T | PromiseLike<T>)
  | { deserialize(bytes: Buffer, context: DeserializerContext): T | PromiseLike<T> };

export type DeserializeFunction<T> = (
  bytes: Buffer,
  context: DeserializerContext,
) => T | PromiseLike<T>;

/** The function behind a deserializer of either form. */
export function deserializeFunction<T>(deserializer: Deserializer<T>): DeserializeFunction<T> {
  return typeof deserializer === 'function'
    ? deserializer
    : (bytes, context) => deserializer.deserialize(bytes, context);
}
