export { ProducerEngine } from './engine.js';
export type { ProducerEvent } from './events.js';
export { checkProducerOptions, type ProducerOptions } from './options.js';
export type { Partitioner, PartitionerInput } from './partitioner.js';
export { Producer, type PartitionInfo } from './producer.js';
export type { HeadersInput, ProducerRecord, Receipt, Submitter } from './record.js';
export { SERIALIZERS, serializerOf, serializersOf, type SerializerOptions } from './serializers.js';
export { serveProducer } from './sharing/serve-producer.js';
export {
  connectProducer,
  SharedProducer,
  type SharedProducerOptions,
} from './sharing/shared-producer.js';
export type { SinkEngine } from './sink-engine.js';
export { Transaction } from './transactions/transaction.js';
export type { TransactionGroup, TransactionOffset } from './transactions/state.js';
