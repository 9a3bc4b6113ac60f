import type { ClassicGroup } from './classic-group.js';
import type { ConsumerGroup } from './consumer-group.js';

/** A group of either protocol. */
export type Group = ClassicGroup | ConsumerGroup;

/** Who commits offsets. */
export interface CommitIdentity {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** The generation, or the member's epoch; -1 for a consumer that is no member. */
  readonly epoch: number;
  /** Of OffsetCommit. */
  readonly version: number;
}

/** What there is to be said against committing an offset of one partition. @throws Rejection */
export type PartitionCheck = (topicId: string, index: number) => void;
