export { startEmbeddedKafka, type EmbeddedKafka } from './embedded-kafka.js';
export type { EmbeddedTransport } from './broker-fleet.js';
export type { FaultControls } from './control/fault-controls.js';
export type { GroupControls } from './control/group-controls.js';
export type { Inspection } from './control/inspection.js';
export type { TopicControls } from './control/topic-controls.js';
export type { TransactionControls } from './control/transaction-controls.js';
export type {
  DropMoment,
  FaultScope,
  InterceptedRequest,
  Interceptor,
  Undo,
} from './control/faults.js';
export type {
  BrokerSnapshot,
  ClusterSnapshot,
  PartitionSnapshot,
  StoredRecord,
  TopicSnapshot,
} from './control/inspect.js';
export type { GroupSnapshot, MemberSnapshot, OffsetsSnapshot } from './control/inspect-groups.js';
export {
  kafkaMarbles,
  kafkaMarblesAsync,
  kafkaMarblesOn,
  type KafkaMarbleHelpers,
  type KafkaMarbles,
} from './marbles/kafka-marbles.js';
export type { Expectable } from './marbles/expectation.js';
export type { MarbleSnapshot } from './marbles/kit.js';
export type { LifecycleMove, LifecycleMoves } from './marbles/lifecycle.js';
export type { MarbleRetries } from './marbles/marble-retries.js';
export type {
  MarbleSink,
  MarbleSinkOptions,
  SinkAnswers,
  WrittenRecord,
} from './marbles/marble-sink.js';
export type {
  RecordDefinition,
  RecordDefinitions,
  RecordsOptions,
  RetriesOptions,
} from './marbles/record-definitions.js';
export { virtualClock } from './marbles/virtual-clock.js';
export type { TransactionSnapshot } from './control/inspect-transactions.js';
export type { MemoryLink, MemoryLinkEvents } from './network/memory-network.js';
export type { EmbeddedBrokerOptions, EmbeddedKafkaOptions } from './options.js';
export type { TopicSpec } from './state/topic-plans.js';
export type { CommittedOffset } from './state/groups/committed-offsets.js';
export type { PartitionsByTopic } from './state/groups/embedded-protocol.js';
export type { MigrationPolicy } from './state/groups/settings.js';
export type { EpochStart } from './state/leader-epochs.js';
export type { ProducerSnapshot } from './state/producer-states.js';
export { kafkaReleases, type KafkaRelease } from './versions.js';
