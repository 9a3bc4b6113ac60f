export {
  deserializeFunction,
  type DeserializeFunction,
  type Deserializer,
  type DeserializerContext,
} from './deserializer.js';
export {
  isSerializer,
  serializeFunction,
  type Serialized,
  type SerializeFunction,
  type Serializer,
  type SerializerContext,
} from './serializer.js';
export { bytes, json, passBytesAndText, string, type Serde } from './serdes.js';
