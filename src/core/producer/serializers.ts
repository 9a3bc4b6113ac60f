import {
  isSerializer,
  passBytesAndText,
  serializeFunction,
  type SerializeFunction,
  type Serializer,
} from '../serde/index.js';
import { badOption } from '../util/options.js';
import type { Submitter } from './record.js';

/** How keys and values become bytes. Without a serializer only text and bytes can be sent. */
export interface SerializerOptions<K, V> {
  /** Not called for a record without a key. Default: text and bytes as they are. */
  readonly keySerializer?: Serializer<K>;
  /** Not called for a tombstone, whose value is null. Default: text and bytes as they are. */
  readonly valueSerializer?: Serializer<V>;
}

/** Their names. */
export const SERIALIZERS: readonly string[] = ['keySerializer', 'valueSerializer'];

/** The functions behind a pair of serializers, checked. */
export function serializersOf(
  what: string,
  key: Serializer<never> | undefined,
  value: Serializer<never> | undefined,
): Pick<Submitter, 'serializeKey' | 'serializeValue'> {
  return {
    serializeKey: serializerOf(what, 'keySerializer', key),
    serializeValue: serializerOf(what, 'valueSerializer', value),
  };
}

/** The function behind a serializer that was given under a name, checked. */
export function serializerOf(
  what: string,
  name: string,
  serializer: Serializer<never> | undefined,
): SerializeFunction<never> {
  if (serializer === undefined || isSerializer(serializer)) {
    return serializeFunction<never>(serializer ?? passBytesAndText);
  }
  throw badOption(what, name, serializer, 'must be a function or have a serialize method');
}
