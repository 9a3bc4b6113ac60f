export type {
  Assignor,
  BuiltInAssignor,
  MemberAssignment,
  MemberSubscription,
  RebalanceProtocol,
  TopicLayout,
} from './assignors/assignor.js';
export { isAssignor } from './assignors/is-assignor.js';
export { createMember, type MemberContext } from './create-member.js';
export type { GroupEvent } from './events.js';
export type { GroupHandler, GroupMetadata, Member } from './member.js';
export { GroupMetrics } from './metrics.js';
export type { GroupOptions, Subscription } from './options.js';
export {
  flattenTopics,
  formatPartitions,
  groupByTopic,
  plainPartition,
  PartitionSet,
  samePartitions,
  without,
  type TopicPartition,
} from './topic-partition.js';
