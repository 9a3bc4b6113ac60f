import type { TopicPartition } from './topic-partition.js';

/** What happens to a member, besides its partitions coming and going. */
export type GroupEvent =
  | {
      readonly type: 'group-protocol-chosen';
      readonly groupId: string;
      readonly protocol: 'classic' | 'consumer';
      readonly reason: string;
    }
  | {
      /** The member has a generation, or an epoch, and knows its partitions. */
      readonly type: 'joined';
      readonly groupId: string;
      readonly memberId: string;
      readonly generationId: number;
      readonly protocol: 'classic' | 'consumer';
      /** The assignor in force, where the member knows it. */
      readonly assignor: string | undefined;
      /** Whether this member shares out the partitions. */
      readonly isLeader: boolean;
      readonly partitions: readonly TopicPartition[];
    }
  | { readonly type: 'rebalancing'; readonly groupId: string; readonly reason: string }
  | {
      /** Something failed that trying again can cure; it is tried again. */
      readonly type: 'group-retried';
      readonly groupId: string;
      readonly api: string;
      readonly reason: string;
    }
  | {
      readonly type: 'left';
      readonly groupId: string;
      readonly memberId: string;
      /** Its partitions stay reserved for it: a static member, which left without saying so. */
      readonly keepsMembership: boolean;
    }
  | { readonly type: 'warning'; readonly code: string; readonly message: string };
