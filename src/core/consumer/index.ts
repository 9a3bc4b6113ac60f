export { Consumer } from './consumer.js';
export {
  ConsumerRecord,
  type DeriveOptions,
  type DerivedRecord,
} from './record/consumer-record.js';
export { deriveFrom, type DeriveFromOptions } from './record/derive-from.js';
export type { DeserializerOptions } from './delivering/decoder.js';
export type { PartitionPosition } from './context.js';
export type { ConsumerEvent, DrainReport, PartitionOffset } from './events.js';
export type { FetchHandle } from './delivering/fetch-outlets.js';
export type { CommittedOffset, OffsetToCommit } from './positions/group-offsets.js';
export { iterateRecords, type IterateOptions } from './iterate.js';
export type { GroupForTransactions, TransactionMember } from './run/group-for-transactions.js';
export type { FoundOffset } from './positions/list-offsets.js';
export type { ConsumerOptions, DeserializationFailure, NackFailure } from './options.js';
export type { PartitionStream } from './delivering/partition-outlets.js';
export { Parts } from './record/parts.js';
export type { OffsetStore, Pipeline, PipelineHost, PipelineListener } from './pipeline.js';
export { relay, standIn, type Outcome } from './record/relay.js';
export { ShownRecords } from './record/shown-records.js';
export type { ConsumerTopics, PartitionStart, StartAt } from './topics.js';
export type { TopicPartition } from '../group/index.js';
export type { ForPartition } from './positions/offset-lookup.js';
