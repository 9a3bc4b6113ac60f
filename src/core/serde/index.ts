export {
  isSerializer,
  serializeFunction,
  type Serialized,
  type SerializeFunction,
  type Serializer,
  type SerializerContext,
} from './serializer.js';
export {
  bytes,
  json,
  passBytesAndText,
  string,
  type DeserializerContext,
  type Serde,
} from './serdes.js';
