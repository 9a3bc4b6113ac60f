export { createKafka, Kafka, type LifecycleEvent } from './core/kafka.js';
export type { KafkaOptions } from './core/kafka-options.js';
export type { Metrics } from './core/metrics/index.js';
export {
  checkVersion,
  type BrokerVersion,
  type CheckVersionOptions,
  type Transport,
} from './core/network/index.js';
export {
  connectProducer,
  Producer,
  serveProducer,
  SharedProducer,
  type HeadersInput,
  type PartitionInfo,
  type Partitioner,
  type PartitionerInput,
  type ProducerOptions,
  type ProducerRecord,
  type Receipt,
  type SerializerOptions,
  type SharedProducerOptions,
} from './core/producer/index.js';
export { bytes, json, string, type Serde, type Serializer } from './core/serde/index.js';
export type { Clock } from './core/util/clock.js';
export {
  AuthenticationError,
  AuthorizationError,
  ConfigError,
  ConnectionError,
  CorruptRecordError,
  FencedError,
  KafkaError,
  ProtocolError,
  SerializationError,
  TimeoutError,
  UnsupportedVersionError,
  type ErrorContext,
} from './core/util/errors.js';
export { sendAll, type Pullable, type SendAllOptions } from './sinks/send-all.js';
export type { Overflow, SendFailure } from './sinks/sink-run.js';
export { toTopic, type SinkRecord, type ToTopicOptions } from './sinks/to-topic.js';
