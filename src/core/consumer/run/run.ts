import type { ClusterMetadata } from '../../cluster/index.js';
import {
  plainPartition,
  type GroupEvent,
  type GroupHandler,
  type GroupMetadata,
  type Member,
  type TopicPartition,
} from '../../group/index.js';
import type { RecordBatch } from '../../records/index.js';
import { KafkaError } from '../../util/errors.js';
import { Absence } from './absence.js';
import {
  AssignedPartition,
  type PartitionListener,
  type Redelivery,
} from '../assigned-partition.js';
import { BoundedEnd } from './bounded-end.js';
import { ByteBudget } from '../fetching/byte-budget.js';
import { UserCallbacks } from '../callbacks.js';
import { noteCaughtUp } from './caught-up.js';
import { Committer } from '../positions/committer.js';
import type { ConsumerContext } from '../context.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import type { Decoder } from '../delivering/decoder.js';
import { Deliverer } from '../delivering/deliverer.js';
import type { DeliveryHooks, Remedy } from '../delivering/delivery-hooks.js';
import { Drainer, type EndReason } from './drainer.js';
import { asKafkaError } from '../errors.js';
import type { DrainReport, PartitionOffset } from '../events.js';
import { Fetcher, type FetchHooks } from '../fetching/fetcher.js';
import { GroupForTransactions } from './group-for-transactions.js';
import { Holdings } from './holdings.js';
import type { ConsumerMetrics } from '../metrics.js';
import { askOnAssign } from './on-assign.js';
import type { DeserializationFailure } from '../options.js';
import type { Outlets } from '../delivering/outlets.js';
import { Pipeline } from '../pipeline.js';
import { Positions, type StartPosition } from '../positions/positions.js';
import { Redeliverer } from '../delivering/redeliverer.js';
import { memberFor, rangesOf, type PartitionRange, type RunSource } from './run-source.js';
import { StarvationWatch } from './starvation-watch.js';
import { TopicSizes } from '../positions/topic-sizes.js';
import { Unreadable } from '../delivering/unreadable.js';
import { Watchdog } from './watchdog.js';
import { noteWhereabouts } from './whereabouts.js';

/** Who is told how a run ends. */
export interface RunOptions {
  readonly source: RunSource;
  readonly outlets: Outlets;
  readonly decoder: Decoder;
  readonly metrics: ConsumerMetrics;
  /** Partitions that the user has paused, by name; they stay so over rebalances. */
  readonly paused: ReadonlyMap<string, unknown>;
}

const COMMIT_GRACE_MS = 1000;

/**
 * One subscription from beginning to end: brings membership, positions, fetching, delivery and
 * commits together, and owns the partitions that are assigned meanwhile.
 */
export class ConsumerRun implements GroupHandler, PartitionListener, DeliveryHooks, FetchHooks {
  readonly pipeline: Pipeline;
  readonly budget: ByteBudget;
  private readonly fetcher: Fetcher;
  private readonly deliverer: Deliverer;
  private readonly positions: Positions;
  private readonly committer: Committer | undefined;
  private readonly watchdog: Watchdog;
  private readonly callbacks = new UserCallbacks((error) => this.onFatal(error));
  private readonly drainer: Drainer;
  private readonly redeliverer: Redeliverer;
  private readonly unreadable: Unreadable;
  private readonly topicSizes: TopicSizes;
  private readonly boundedEnd: BoundedEnd;
  private member: Member;
  private readonly holdings = new Holdings();
  private readonly ranges: ReadonlyMap<string, PartitionRange>;
  private readonly starvation: StarvationWatch;
  private readonly absence: Absence | undefined;
  private stopListening: () => void = () => undefined;
  private ending: Promise<DrainReport> | undefined;
  private failure: KafkaError | undefined;
  private tellEnded: () => void = () => undefined;

  constructor(
    private readonly context: ConsumerContext,
    private readonly run: RunOptions,
  ) {
    const { clock, options } = context;
    const { source, decoder, metrics } = run;
    const partitions = () => this.partitions;
    this.ranges = rangesOf(source);
    this.pipeline = new Pipeline({
      clock,
      isAutoAck: options.ack === 'auto',
      isCommittedOnly: options.isolationLevel === 'read_committed',
      emit: (event) => context.emit(event),
      group: this.groupForTransactions(),
      starvation: () => this.starvation.look(),
    });
    this.budget = new ByteBudget(options.maxBufferedBytes, () => {
      if (this.fetcher.isStarved) this.fetcher.wake();
      this.deliverer.bytesFreed();
    });
    this.fetcher = new Fetcher(context, this.budget, partitions, metrics, this);
    const settings = {
      isAutoAck: options.ack === 'auto',
      maxPollRecords: options.maxPollRecords,
      open: { checkCrcs: options.checkCrcs },
      soon: queueMicrotask,
    };
    this.deliverer = new Deliverer(clock, this.budget, partitions, decoder, settings, this);
    this.starvation = new StarvationWatch(context, () => this.pipeline, {
      partitions,
      isFetchingStarved: () => this.fetcher.isStarved,
      isDeliveryStarved: () => this.deliverer.awaitsBytes,
    });
    this.topicSizes = new TopicSizes(context.cluster);
    this.positions = new Positions(context, {
      member: () => this.member.metadata,
      sizes: this.topicSizes,
      onReady: () => {
        this.wake();
        this.checkRangesEnd();
      },
      onFatal: (error, partition) => this.onFatal(error, partition),
    });
    this.watchdog = new Watchdog(context, {
      partitions,
      areBytesUsedUp: () => this.fetcher.isStarved,
      hasAcked: () => this.holdings.recordsFinished > 0,
      onHung: (partition) => this.absence?.hung(partition),
    });
    this.boundedEnd = new BoundedEnd(context, this.pipeline, {
      partitions,
      onOver: () => void this.end('completed'),
    });
    this.unreadable = new Unreadable(context, (error, partition) => this.onFatal(error, partition));
    this.drainer = new Drainer(context, run.outlets, this.pipeline, this.callbacks);
    this.redeliverer = new Redeliverer(context, this.callbacks, {
      partitions,
      onDue: () => {
        for (const each of this.partitions)
          if (each.redeliveries.length > 0) this.deliverer.wake(each);
      },
      onFatal: (error) => this.onFatal(error),
    });
    this.member = this.newMember();
    if (options.groupId !== undefined) {
      this.committer = new Committer(context, options.groupId, metrics, {
        partitions,
        member: () => this.member.metadata,
        isMember: source.type !== 'partitions',
        onStaleMember: (reason) => this.member.requestRejoin(reason),
        onFatal: (error) => this.onFatal(error),
      });
    }
    if (options.groupId === undefined || source.type === 'partitions') return;
    this.absence = new Absence(context, options.groupId, {
      isEnding: () => this.isEnding,
      leave: () => this.leaveForAWhile(),
      rejoin: () => this.joinAnew(),
      onFatal: (error) => this.onFatal(error),
    });
  }

  /** The partitions that are held now. */
  get partitions(): readonly AssignedPartition[] {
    return this.holdings.all;
  }

  get groupMetadata(): GroupMetadata | undefined {
    return this.member.metadata;
  }

  get isEnding(): boolean {
    return this.ending !== undefined;
  }

  /** Resolves when the subscription has ended and left nothing behind. Ends nothing. */
  get ended(): Promise<unknown> {
    return this.ending ?? Promise.resolve();
  }

  find(where: TopicPartition): AssignedPartition | undefined {
    return this.holdings.find(where);
  }

  /** Begins; everything that happens comes through the outlets and as events. */
  start(): void {
    const { source } = this.run;
    this.stopListening = this.context.cluster.onMetadata((metadata) => this.noteMetadata(metadata));
    if (source.type === 'topics') this.topicSizes.subscribed(source.topics);
    this.committer?.start();
    this.watchdog.start();
    this.member.join();
  }

  /** Calls back when the subscription has ended and left nothing behind. */
  onEnded(callback: () => void): void {
    this.tellEnded = callback;
  }

  /** Goes on after something that the handle did: a seek, a pause, a resume. */
  wake(partition?: AssignedPartition): void {
    this.fetcher.wake();
    this.deliverer.wake(partition);
  }

  /** Begins partitions anew at other positions. */
  seek(partitions: readonly AssignedPartition[], start: StartPosition): void {
    for (const partition of partitions) partition.forgetPosition();
    this.positions.resolve(partitions, () => start);
  }

  /** Commits given offsets, or what is acked of everything. */
  async commit(offsets: readonly PartitionOffset[] | undefined, timeoutMs: number): Promise<void> {
    if (this.committer === undefined) throw noGroup();
    const deadline = this.context.clock.monotonic() + timeoutMs;
    if (offsets !== undefined) {
      await this.committer.commit(offsets, deadline);
      return;
    }
    const error = await this.committer.commitBefore(this.partitions, deadline);
    if (error !== undefined) throw error;
  }

  /**
   * Ends the subscription: delivers nothing more, waits for work in hand, commits, leaves, then ends
   * the stream. A second call returns what the first does.
   */
  end(reason: EndReason, timeoutMs = this.context.options.drainTimeoutMs): Promise<DrainReport> {
    if (this.ending !== undefined) return this.ending;
    // Known before anything is told: completing the stream leads back here.
    let resolve: (report: DrainReport) => void = () => undefined;
    this.ending = new Promise((done) => (resolve = done));
    void this.leave(reason, timeoutMs).then(resolve);
    return this.ending;
  }

  /** Has an end that is under way wait no longer than this for work in hand. */
  hasten(timeoutMs: number): void {
    this.drainer.hasten(timeoutMs);
  }

  // ---- from the group

  async onAssigned(
    added: readonly TopicPartition[],
    _all?: readonly TopicPartition[],
  ): Promise<void> {
    if (this.isEnding || added.length === 0) return;
    const fresh = added.map((where) => this.newPartition(where));
    this.holdings.add(fresh);
    for (const partition of fresh) this.committer?.moved(partition);
    this.topicSizes.noteAssigned(fresh.map(({ topic }) => topic));
    this.context.emit({ type: 'assigned', partitions: added.map(plainPartition) });
    for (const partition of fresh) this.run.outlets.attach(partition);
    const given = await askOnAssign(this.context, this.callbacks, fresh, (task, timeoutMs) =>
      this.drainer.within(task, timeoutMs),
    );
    const waiting = fresh.filter((each) => this.holdings.has(each) && each.phase === 'new');
    this.positions.resolve(
      waiting,
      (partition) => given.get(partition.key) ?? this.startOf(partition),
    );
  }

  async onRevoked(removed: readonly TopicPartition[], deadlineMs: number): Promise<void> {
    const { clock, options } = this.context;
    const startedAt = clock.monotonic();
    const leaving = this.holdings.among(removed);
    const deadline = Math.min(deadlineMs - COMMIT_GRACE_MS, startedAt + options.drainTimeoutMs);
    await this.drainer.drain(leaving, Math.max(startedAt, deadline));
    const owned = leaving.filter((partition) => this.holdings.has(partition));
    const commitBy = Math.max(deadlineMs, clock.monotonic() + COMMIT_GRACE_MS);
    await this.commitAcked(owned, commitBy);
    const still = owned.filter((partition) => this.holdings.has(partition));
    const recordsAbandoned = this.drop(still);
    this.context.emit({
      type: 'revoked',
      partitions: removed.map(plainPartition),
      recordsAbandoned,
    });
  }

  onLost(lost: readonly TopicPartition[]): void {
    const gone = this.holdings.among(lost);
    if (gone.length === 0) return;
    const recordsAbandoned = this.drop(gone);
    this.context.emit({ type: 'lost', partitions: gone.map(plainPartition), recordsAbandoned });
  }

  onFatal(error: KafkaError, _partition?: AssignedPartition): void {
    this.failure ??= error;
    if (_partition !== undefined) _partition.phase = 'failed';
    void this.end('failed');
  }

  onEvent(event: GroupEvent): void {
    this.context.emit(event);
  }

  // ---- from the records

  onAcked(partition: AssignedPartition): void {
    this.committer?.acked(partition);
    if (partition.hasRecords) this.deliverer.wake(partition);
    if (partition.isDraining) this.drainer.check();
    // Not at once: whoever acks within its delivery has not passed the record on yet.
    else if (partition.position >= partition.endOffset) this.deliverer.wake(partition);
  }

  onAckedLate(): void {
    this.absence?.pipelineLives();
  }

  onNacked(partition: AssignedPartition, redelivery: Redelivery, reason: unknown): void {
    if (!partition.isDraining) {
      this.redeliverer.nacked(partition, redelivery, reason);
      return;
    }
    this.onFailedUnheard(redelivery.record, reason);
    this.drainer.check();
  }

  onFailedUnheard(record: ConsumerRecord<unknown, unknown>, reason: unknown): void {
    const { topic, partition, offset, attempt } = record;
    this.context.emit({ type: 'record-failed', topic, partition, offset, attempt, reason });
  }

  onReturned(partition: AssignedPartition, redelivery: Redelivery): void {
    if (partition.isDraining) this.drainer.check();
    else this.redeliverer.queue(partition, redelivery, 0);
  }

  // ---- from delivery

  onFailed(partition: AssignedPartition, error: unknown): void {
    const what = `Cannot read ${partition.key} at offset ${partition.position}`;
    this.onFatal(asKafkaError(error, what, 'RECORDS_UNREADABLE'), partition);
  }

  onCorrupt(
    partition: AssignedPartition,
    error: KafkaError,
    batch: RecordBatch | undefined,
  ): Remedy {
    return this.unreadable.batch(partition, error, batch);
  }

  onUndecodable(
    partition: AssignedPartition,
    failure: DeserializationFailure,
  ): Remedy | { readonly value: unknown } {
    return this.unreadable.part(partition, failure);
  }

  onChunkEnd(partition: AssignedPartition): void {
    this.run.outlets.chunkEnded(partition);
    this.fetcher.noteMoved(partition);
  }

  onHeldUp(partition: AssignedPartition): void {
    this.run.outlets.heldUp(partition);
  }

  onDelivered(partition: AssignedPartition, records: number): void {
    this.run.metrics.delivered(partition.topic, records);
    this.starvation.moved();
    this.context.onMoved(partition);
    this.fetcher.noteMoved(partition);
    if (records === 0) this.committer?.moved(partition);
    noteCaughtUp(this.context, partition);
    if (partition.position >= partition.endOffset) this.checkRangesEnd();
  }

  onIdle(): void {
    this.checkRangesEnd();
    this.starvation.check();
  }

  // ---- from fetching

  onFetched(): void {
    for (const partition of this.partitions) {
      if (partition.hasRecords) {
        this.run.outlets.fetched(partition);
        this.deliverer.wake(partition);
      } else noteCaughtUp(this.context, partition);
    }
  }

  onStarved(): void {
    this.starvation.check();
  }

  onOutOfRange(partition: AssignedPartition): void {
    this.positions.reset(partition, 'out-of-range');
  }

  onDiverged(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void {
    this.positions.truncated(partition, endOffset, leaderEpoch);
    this.fetcher.wake();
  }

  // ---- inside

  private groupForTransactions(): GroupForTransactions | undefined {
    const { groupId } = this.context.options;
    if (groupId === undefined) return undefined;
    const isMember = this.run.source.type !== 'partitions';
    return new GroupForTransactions(this.context, groupId, {
      partitions: () => this.partitions,
      member: () => (isMember ? this.member.metadata : { groupId }),
      beginAnew: (partition) => this.seek([partition], { from: 'committed' }),
    });
  }

  private newPartition({ topic, partition }: TopicPartition): AssignedPartition {
    const { maxUnackedRecords } = this.context.options;
    const created = new AssignedPartition(topic, partition, maxUnackedRecords, this);
    created.isPaused = this.run.paused.has(created.key);
    created.endOffset = this.ranges.get(created.key)?.endOffset ?? Infinity;
    return created;
  }

  private startOf(partition: AssignedPartition): StartPosition {
    return this.ranges.get(partition.key)?.start ?? { from: 'committed' };
  }

  private async commitAcked(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<void> {
    if (!this.context.options.enableAutoCommit || partitions.length === 0) return;
    if (this.committer === undefined) return;
    // One that is on the way may take longer than there is time.
    const task = this.committer.commitBefore(partitions, deadline);
    await this.drainer.within(task, deadline - this.context.clock.monotonic());
  }

  /** Fences and forgets partitions; returns how many records were in hand. */
  private drop(partitions: readonly AssignedPartition[]): number {
    const inHand = this.holdings.drop(partitions);
    for (const partition of partitions) this.run.outlets.detach(partition);
    this.drainer.check();
    return inHand;
  }

  private async leave(reason: EndReason, timeoutMs: number): Promise<DrainReport> {
    const { clock } = this.context;
    this.fetcher.stop();
    this.deliverer.stop();
    this.positions.stop();
    this.watchdog.stop();
    this.redeliverer.stop();
    this.boundedEnd.stop();
    this.stopListening();
    const { partitions } = this;
    // Before the drain: what operators hold back comes out when the stream completes.
    if (reason !== 'failed') this.run.outlets.complete();
    await this.drainer.finish(reason, partitions, timeoutMs);
    const held = partitions.filter((partition) => this.holdings.has(partition));
    await this.commitAcked(held, clock.monotonic() + COMMIT_GRACE_MS * 5);
    const offsetsCommitted = held.flatMap(({ topic, partition, committedOffset: offset }) =>
      offset === undefined ? [] : [{ topic, partition, offset }],
    );
    this.committer?.stop();
    this.drop(held);
    this.drainer.stop();
    await this.member.leave();
    const report: DrainReport = {
      recordsFinished: this.holdings.recordsFinished,
      recordsAbandoned: this.holdings.recordsAbandoned,
      offsetsCommitted,
    };
    this.pipeline.end();
    this.tellEnded();
    this.context.emit({ type: 'drained', ...report });
    if (this.failure !== undefined) this.run.outlets.fail(this.failure);
    return report;
  }

  private noteMetadata(metadata: ClusterMetadata): void {
    this.topicSizes.note();
    noteWhereabouts(this.partitions, metadata, this.positions);
    this.fetcher.wake();
  }

  private checkRangesEnd(): void {
    if (this.run.source.type === 'partitions' && !this.isEnding) this.boundedEnd.check();
  }

  /** Gives up what a hung pipeline holds; tells whether records were in hand. */
  private async leaveForAWhile(): Promise<boolean> {
    const { member } = this;
    await this.commitAcked(this.partitions, this.context.clock.monotonic() + COMMIT_GRACE_MS);
    const isInHand = this.partitions.some(({ ledger }) => ledger.inHand > 0);
    this.onLost(this.partitions);
    await member.leave();
    return isInHand;
  }

  private joinAnew(): void {
    this.member = this.newMember();
    this.member.join();
  }

  private newMember(): Member {
    const { source, metrics } = this.run;
    return memberFor(this.context, source, this, this.topicSizes, metrics.group);
  }
}

function noGroup(): KafkaError {
  return new KafkaError('Cannot commit: the consumer has no groupId', { code: 'NO_GROUP' });
}
