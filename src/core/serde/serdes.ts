import type { DeserializerContext } from './deserializer.js';
import type { Serializer } from './serializer.js';

/** A pair of functions for keys or values of one type. */
export interface Serde<T> {
  serialize(value: T): Uint8Array | string | null;
  deserialize(bytes: Buffer, context?: DeserializerContext): T;
}

/**
 * Text as UTF-8, both ways.
 *
 * **Errors.** What is no string is refused, with a SerializationError of the record.
 *
 * @example
 * kafka.producer({ keySerializer: string() });
 */
export function string(): Serde<string> {
  return {
    serialize(value) {
      if (typeof value !== 'string') throw new TypeError(`expected a string, got ${typeof value}`);
      return value;
    },
    deserialize: (bytes) => bytes.toString('utf8'),
  };
}

/**
 * Values as JSON, both ways. What is read is taken for a `T`: nothing checks that.
 *
 * **Errors.** `undefined`, functions and other things that JSON can't express are refused, and so is text
 * that is no JSON, with a SerializationError of the record.
 *
 * @example
 * kafka.producer({ valueSerializer: json<Order>() });
 */
export function json<T = unknown>(): Serde<T> {
  return {
    serialize(value) {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError(`JSON can't express ${typeof value}`);
      return text;
    },
    deserialize: (bytes) => JSON.parse(bytes.toString('utf8')) as T,
  };
}

/**
 * Bytes as they are, both ways: a Buffer is read, a Buffer or another Uint8Array written.
 *
 * **Errors.** What is neither is refused, with a SerializationError of the record.
 *
 * @example
 * kafka.producer({ valueSerializer: bytes() });
 */
export function bytes(): Serde<Uint8Array> {
  return {
    serialize(value) {
      if (value instanceof Uint8Array) return value;
      throw new TypeError(`expected a Buffer or Uint8Array, got ${typeof value}`);
    },
    deserialize: (buffer) => buffer,
  };
}

/** Where no serializer is given: bytes and text pass, anything else asks for a serializer. */
export const passBytesAndText: Serializer<unknown> = (value) => {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw new TypeError(
    `${typeof value === 'object' ? 'an' : 'a'} ${typeof value} needs a serializer, such as json(); without one only strings, Buffers and ` +
      `Uint8Arrays can be sent`,
  );
};
