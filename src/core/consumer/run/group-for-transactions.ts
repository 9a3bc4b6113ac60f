import type { GroupMetadata } from '../../group/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { DeliveryOwner } from '../delivering/delivery.js';
import type { OffsetToCommit } from '../positions/group-offsets.js';
import { isGone } from '../positions/topic-identity.js';

/** As whom offsets are stored: a member, or for a consumer that shares with nobody the group alone. */
export type TransactionMember = Pick<GroupMetadata, 'groupId'> & Partial<GroupMetadata>;

interface GroupHooks {
  readonly partitions: () => readonly AssignedPartition[];
  readonly member: () => TransactionMember | undefined;
  /** Resolves when the consumer has no commit of its own on the way. */
  readonly quiet: () => Promise<unknown> | undefined;
  /** Goes on in a partition from what is committed of it. */
  readonly beginAnew: (partition: AssignedPartition) => void;
}

/** What transactions need of the consumer whose offsets they store. */
export class GroupForTransactions {
  constructor(
    private readonly context: ConsumerContext,
    readonly groupId: string,
    private readonly hooks: GroupHooks,
  ) {}

  /** As whom to store now; `undefined` while the group is between generations. */
  get member(): TransactionMember | undefined {
    return this.hooks.member();
  }

  /**
   * Resolves when nothing is on the way that could overtake what a transaction stores: until the first
   * record came, the consumer has committed by itself where partitions begin.
   */
  async quiet(): Promise<void> {
    await this.hooks.quiet();
  }

  /**
   * The offsets that a transaction has to store: where to go on once all that joined it is done. A
   * partition of which nothing was ever committed is among them, so that its next owner can't skip
   * by `latest`.
   *
   * @param isOurs whether the transaction is to store the offset of a partition.
   */
  offsets(isOurs: (owner: DeliveryOwner) => boolean): OffsetToCommit[] {
    return this.hooks.partitions().flatMap((each) => {
      if (!each.hasPosition || each.ledger.isFenced) return [];
      if (!isOurs(each)) return [];
      if (isGone(each, this.context.cluster.metadata)) return [];
      const { topic, partition, committedOffset, ledger } = each;
      const { offset, leaderEpoch } = ledger.joinedPosition;
      return offset === committedOffset ? [] : [{ topic, partition, offset, leaderEpoch }];
    });
  }

  /** A transaction has stored offsets, and is committed. */
  stored(offsets: readonly OffsetToCommit[]): void {
    const byKey = new Map(this.hooks.partitions().map((each) => [each.key, each]));
    for (const { topic, partition, offset } of offsets) {
      const held = byKey.get(`${topic}-${partition}`);
      if (held !== undefined) held.committedOffset = offset;
    }
    this.context.emit({
      type: 'committed',
      offsets: offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
    });
  }

  /** Forgets where a partition stood, for what is committed of it may have changed. */
  beginAnew(owner: DeliveryOwner): void {
    const held = this.hooks.partitions().find((each) => each === owner);
    if (held !== undefined) this.hooks.beginAnew(held);
  }
}
