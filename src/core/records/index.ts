export type { TimestampType } from './attributes.js';
export type { BatchMemory } from './batch-memory.js';
export { checkCompression, type BatchBuilderOptions } from './builder-options.js';
export {
  createBatchBuilder,
  RecordBatchBuilder,
  type BatchBuilder,
} from './record-batch-builder.js';
export {
  Originating,
  originsOf,
  shareOrigins,
  type Origin,
  type WithOrigins,
} from './provenance.js';
export { BatchWalker, readBatches } from './batch-walker.js';
export type { OpenOptions, RecordBatch } from './batch.js';
export {
  DEFAULT_MAX_DECOMPRESSED_BYTES,
  type Codec,
  type CompressionLevels,
  type CompressionType,
} from './compression/codec.js';
export { codecId, codecs } from './compression/codecs.js';
export type { Content, HeaderContent } from './content.js';
export { encodeControlBatch, type TransactionMarker } from './control-batch.js';
export { readControlRecord, type ControlRecord } from './control-record.js';
export type { RecordContext } from './corrupt.js';
export { crc32, crc32c } from './crc32c.js';
export { decodeRecords, recordsOf, type DecodeOptions } from './decode-records.js';
export { encodeRecords, type EncodeOptions, type RecordContent } from './encode-records.js';
export { murmur2, partitionForKey, toPositive } from './murmur2.js';
export {
  NO_PRODUCER,
  setPartitionLeaderEpoch,
  setProducerState,
  type ProducerState,
} from './patch-batch.js';
export { RecordCursor } from './record-cursor.js';
export { RecordSource, type Header } from './record-source.js';
export { Record } from './record.js';
export { storeBatches, type StoreOptions } from './store-batch.js';
