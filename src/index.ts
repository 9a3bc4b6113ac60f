export { createKafka, Kafka, type KafkaRequestOptions, type LifecycleEvent } from './core/kafka.js';
export type { ClusterEvent } from './core/cluster/index.js';
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
  Transaction,
  type HeadersInput,
  type PartitionInfo,
  type Partitioner,
  type PartitionerInput,
  type ProducerEvent,
  type ProducerOptions,
  type ProducerRecord,
  type Receipt,
  type SerializerOptions,
  type SharedProducerOptions,
  type TransactionGroup,
  type TransactionOffset,
} from './core/producer/index.js';
export {
  bytes,
  json,
  string,
  type Deserializer,
  type DeserializerContext,
  type Serde,
  type Serializer,
} from './core/serde/index.js';
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
  TransactionAbortedError,
  UnsupportedVersionError,
  type ErrorContext,
} from './core/util/errors.js';
export type { Pullable } from './sinks/pull-source.js';
export { sendAll, type SendAllOptions } from './sinks/send-all.js';
export type { Overflow, SendFailure } from './sinks/sink-run.js';
export type { SinkProducer, SinkTarget } from './sinks/target.js';
export { toTopic, type SinkRecord, type ToTopicOptions } from './sinks/to-topic.js';
export {
  Consumer,
  ConsumerRecord,
  deriveFrom,
  iterateRecords as iterate,
  type CommittedOffset,
  type ConsumerEvent,
  type ConsumerOptions,
  type ConsumerTopics,
  type DeriveFromOptions,
  type DeriveOptions,
  type DerivedRecord,
  type DeserializationFailure,
  type DeserializerOptions,
  type DrainReport,
  type FetchHandle,
  type FoundOffset,
  type IterateOptions,
  type NackFailure,
  type OffsetToCommit,
  type PartitionOffset,
  type PartitionStart,
  type PartitionStream,
  type StartAt,
} from './core/consumer/index.js';
export type {
  Assignor,
  BuiltInAssignor,
  GroupEvent,
  GroupMetadata,
  TopicPartition,
} from './core/group/index.js';
export { ackEach } from './operators/ack-each.js';
export { aggregateEach } from './operators/aggregate-each.js';
export { Batch, type BatchScope } from './operators/batching/batch.js';
export { batchEach } from './operators/batch-each.js';
export type { BatchEachOptions } from './operators/batching/batch-options.js';
export { deadLetter, deadLetterHeaders, type DeadLetterOptions } from './operators/dead-letter.js';
export { dedupeEach, type DedupeEachOptions } from './operators/dedupe-each.js';
export type { ExclusiveProject } from './operators/processing/exclusive.js';
export { exhaustEach, type ExhaustEachOptions } from './operators/exhaust-each.js';
export { fanOut } from './operators/fan-out.js';
export { filterEach } from './operators/filter-each.js';
export {
  flatMapEach,
  type FlatMapEachOptions,
  type FlatMapped,
} from './operators/flat-map-each.js';
export { mapEach } from './operators/map-each.js';
export { ofType } from './operators/of-type.js';
export { pauseWhile } from './operators/pause-while.js';
export { processEach, type ProcessEachOptions } from './operators/process-each.js';
export type {
  OnProcessError,
  ProcessFailure,
  RetryOptions,
} from './operators/processing/failure-policy.js';
export type { ProcessContext } from './operators/processing/processing.js';
export {
  processPartitioned,
  type ProcessPartitionedOptions,
} from './operators/process-partitioned.js';
export { throttleBytes, type ThrottleBytesOptions } from './operators/throttle-bytes.js';
export { untilCaughtUp } from './operators/until-caught-up.js';
export { untilOffsets } from './operators/until-offsets.js';
export { withLag, type WithLag } from './operators/with-lag.js';
export { retryEach, type RetryEachOptions } from './operators/retry-each.js';
export { retryHeaders } from './operators/retrying/retry-headers.js';
export { retryTopics } from './operators/retry-topics.js';
export type { RetryCluster, RetryTarget } from './operators/retrying/retry-cluster.js';
export type { RetryTopic, RetryTopicsOptions } from './operators/retrying/retry-topics-options.js';
export { switchEach, type SwitchEachOptions } from './operators/switch-each.js';
export { tee } from './operators/tee.js';
export type { Work, WorkResult } from './operators/processing/work.js';
export { fromFetches } from './sources/from-fetches.js';
export { fromOffsetRange, type OffsetRange } from './sources/from-offset-range.js';
export { fromPartitions } from './sources/from-partitions.js';
export { fromTopics } from './sources/from-topics.js';
export { fromTopicsByPartition } from './sources/from-topics-by-partition.js';
export type { SourceOptions } from './sources/with-consumer.js';
export { toCommit } from './sinks/to-commit.js';
export { toTopics, type Route, type RouteOf, type Routes } from './sinks/to-topics.js';
export { toTransaction, type OutgoingRecord } from './sinks/to-transaction.js';
export { transactional } from './operators/transactional.js';
export type { TransactionResult } from './operators/transactions/lane.js';
export type {
  AfterAbort,
  TransactionAbort,
  TransactionalOptions,
  TransactionContext,
  TransactionProject,
} from './operators/transactions/options.js';
export {
  transactionPool,
  type TransactionPool,
  type TransactionPoolOptions,
} from './core/transaction-pool.js';
