/** What a serializer may look at besides the value. */
export interface SerializerContext {
  readonly topic: string;
}

/** Bytes, or text that is written as UTF-8, or null for no key or a tombstone. */
export type Serialized = Uint8Array | string | null;

/** A function, or an object with one method, that turns a key or a value into bytes. */
export type Serializer<T> =
  | ((value: T, context: SerializerContext) => Serialized)
  | { serialize(value: T, context: SerializerContext): Serialized };

export type SerializeFunction<T> = (value: T, context: SerializerContext) => Serialized;

/** The function behind a serializer of either form. */
export function serializeFunction<T>(serializer: Serializer<T>): SerializeFunction<T> {
  return typeof serializer === 'function'
    ? serializer
    : (value, context) => serializer.serialize(value, context);
}

export function isSerializer(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && 'serialize' in value;
}
