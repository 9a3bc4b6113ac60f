import {
  isSerializer,
  passBytesAndText,
  serializeFunction,
  type Serializer,
} from '../serde/index.js';
import { badOption } from '../util/options.js';
import type { Submitter } from './record.js';

/** How keys and values become bytes. Without a serializer only text and bytes can be sent. */
export interface SerializerOptions<K, V> {
  readonly keySerializer?: Serializer<K>;
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
  for (const [name, serializer] of Object.entries({ keySerializer: key, valueSerializer: value })) {
    if (serializer === undefined || isSerializer(serializer)) continue;
    throw badOption(what, name, serializer, 'must be a function or have a serialize method');
  }
  return {
    serializeKey: serializeFunction(key ?? passBytesAndText),
    serializeValue: serializeFunction(value ?? passBytesAndText),
  };
}
