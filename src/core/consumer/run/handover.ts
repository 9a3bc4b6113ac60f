import {
  plainPartition,
  type GroupEvent,
  type GroupHandler,
  type TopicPartition,
} from '../../group/index.js';
import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { UserCallbacks } from '../callbacks.js';
import type { ConsumerContext } from '../context.js';
import type { Outlets } from '../delivering/outlets.js';
import { nameOf } from '../errors.js';
import type { Pipeline } from '../pipeline.js';
import type { Committer } from '../positions/committer.js';
import type { Positions, StartPosition } from '../positions/positions.js';
import type { TopicSizes } from '../positions/topic-sizes.js';
import type { Drainer } from './drainer.js';
import type { Holdings } from './holdings.js';
import { askOnAssign } from './on-assign.js';

/** What partitions go through as they come and go. */
export interface HandoverParts {
  readonly holdings: Holdings;
  readonly outlets: Outlets;
  readonly pipeline: Pick<Pipeline, 'lost'>;
  readonly positions: Pick<Positions, 'resolve'>;
  readonly topicSizes: Pick<TopicSizes, 'noteAssigned'>;
  readonly callbacks: UserCallbacks;
  readonly drainer: Drainer;
  /** `undefined` without a group. */
  readonly committer: Pick<Committer, 'commitBefore'> | undefined;
}

/** What a {@link Handover} asks of, and tells, the run. */
export interface HandoverHooks {
  readonly isEnding: () => boolean;
  readonly newPartition: (where: TopicPartition) => AssignedPartition;
  /** Where a partition begins, unless `onAssign` says otherwise. */
  readonly startOf: (partition: AssignedPartition) => StartPosition;
  readonly onFatal: (error: KafkaError) => void;
}

const COMMIT_GRACE_MS = 1000;
/** At the end nobody waits for the partitions. */
const LAST_COMMIT_MS = 5000;

/**
 * Takes partitions up as they are assigned, and gives them up: drained, committed and fenced, or
 * fenced alone where they belong to others already.
 */
export class Handover implements GroupHandler {
  constructor(
    private readonly context: ConsumerContext,
    private readonly parts: HandoverParts,
    private readonly hooks: HandoverHooks,
  ) {}

  async onAssigned(added: readonly TopicPartition[]): Promise<void> {
    if (this.hooks.isEnding() || added.length === 0) return;
    const { holdings, topicSizes, outlets, callbacks, drainer, positions } = this.parts;
    const fresh = added.map((where) => this.hooks.newPartition(where));
    holdings.add(fresh);
    topicSizes.noteAssigned(fresh.map(({ topic }) => topic));
    this.context.emit({ type: 'assigned', partitions: added.map(plainPartition) });
    for (const partition of fresh) outlets.attach(partition);
    const given = await askOnAssign(this.context, callbacks, fresh, drainer);
    const waiting = fresh.filter((each) => holdings.has(each) && each.phase === 'new');
    positions.resolve(waiting, (each) => given.get(each.key) ?? this.hooks.startOf(each));
  }

  async onRevoked(removed: readonly TopicPartition[], deadlineMs: number): Promise<void> {
    const { clock, options } = this.context;
    const { holdings, drainer } = this.parts;
    const startedAt = clock.monotonic();
    const leaving = holdings.among(removed);
    const deadline = Math.min(deadlineMs - COMMIT_GRACE_MS, startedAt + options.drainTimeoutMs);
    await drainer.drain(leaving, Math.max(startedAt, deadline));
    const owned = leaving.filter((partition) => holdings.has(partition));
    await this.commitAcked(owned, Math.max(deadlineMs, clock.monotonic() + COMMIT_GRACE_MS));
    const lost = new Set(leaving.filter((each) => !holdings.has(each)).map(({ key }) => key));
    const recordsAbandoned = this.drop(leaving.filter((each) => holdings.has(each)));
    const partitions = removed.filter((where) => !lost.has(nameOf(where))).map(plainPartition);
    if (partitions.length === 0) return;
    this.context.emit({ type: 'revoked', partitions, recordsAbandoned });
  }

  onLost(lost: readonly TopicPartition[]): void {
    const gone = this.parts.holdings.among(lost);
    if (gone.length === 0) return;
    const recordsAbandoned = this.drop(gone);
    this.parts.pipeline.lost();
    this.context.emit({ type: 'lost', partitions: gone.map(plainPartition), recordsAbandoned });
  }

  onFatal(error: KafkaError): void {
    this.hooks.onFatal(error);
  }

  onEvent(event: GroupEvent): void {
    this.context.emit(event);
  }

  /** Gives all up that a hung pipeline holds; tells whether records were in hand. */
  async abandon(): Promise<boolean> {
    const { holdings } = this.parts;
    await this.commitAcked(holdings.all, this.context.clock.monotonic() + COMMIT_GRACE_MS);
    const isInHand = holdings.all.some(({ ledger }) => ledger.inHand > 0);
    this.onLost(holdings.all);
    return isInHand;
  }

  /** Commits what is acked of partitions whose work is over; those that are held still. */
  async commitLast(partitions: readonly AssignedPartition[]): Promise<AssignedPartition[]> {
    const held = partitions.filter((partition) => this.parts.holdings.has(partition));
    await this.commitAcked(held, this.context.clock.monotonic() + LAST_COMMIT_MS);
    return held;
  }

  /** Fences and forgets partitions; returns how many records were in hand. */
  drop(partitions: readonly AssignedPartition[]): number {
    const { holdings, outlets, drainer } = this.parts;
    const inHand = holdings.drop(partitions);
    for (const partition of partitions) outlets.detach(partition);
    drainer.check();
    return inHand;
  }

  private async commitAcked(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<void> {
    const { committer, drainer } = this.parts;
    if (!this.context.options.enableAutoCommit || partitions.length === 0) return;
    if (committer === undefined) return;
    // One that is on the way may take longer than there is time.
    const task = committer.commitBefore(partitions, deadline);
    await drainer.within(task, deadline - this.context.clock.monotonic());
  }
}
