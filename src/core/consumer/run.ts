import { from, lastValueFrom, type ObservableInput } from 'rxjs';
import type { ClusterMetadata, MetadataChange } from '../cluster/index.js';
import {
  createMember,
  type GroupEvent,
  type GroupHandler,
  type GroupMetadata,
  type Member,
  type Subscription,
  type TopicPartition,
} from '../group/index.js';
import type { RecordBatch } from '../records/index.js';
import { backoffMs } from '../util/backoff.js';
import { KafkaError } from '../util/errors.js';
import {
  AssignedPartition,
  type PartitionListener,
  type Redelivery,
} from './assigned-partition.js';
import { ByteBudget } from './byte-budget.js';
import { Committer } from './committer.js';
import type { ConsumerContext } from './context.js';
import type { Decoder } from './decoder.js';
import { Deliverer, type DeliveryHooks, type Remedy } from './deliverer.js';
import { Drains } from './drains.js';
import { asKafkaError, nameOf } from './errors.js';
import type { DrainReport, PartitionOffset } from './events.js';
import { Fetcher, type FetchHooks } from './fetcher.js';
import type { ConsumerMetrics } from './metrics.js';
import type { DeserializationFailure } from './options.js';
import type { Outlets } from './outlets.js';
import { Pipeline } from './pipeline.js';
import { Positions, type StartPosition } from './positions.js';
import { fixedAssignment, SelfAssigned } from './self-assigned.js';
import { Watchdog } from './watchdog.js';

/** A partition to be consumed, with where to begin and to end. */
export interface PartitionRange extends TopicPartition {
  readonly start: StartPosition;
  /** Delivery ends before this offset. */
  readonly endOffset?: number;
}

/** What a run consumes. */
export type RunSource =
  Subscription | { readonly type: 'partitions'; readonly ranges: readonly PartitionRange[] };

/** Who is told how a run ends. */
export interface RunOptions {
  readonly source: RunSource;
  readonly outlets: Outlets;
  readonly decoder: Decoder;
  readonly metrics: ConsumerMetrics;
  /** Partitions that the user has paused, by name; they stay so over rebalances. */
  readonly paused: ReadonlyMap<string, unknown>;
}

/** Why a run ends, which decides what is done about work in hand. */
export type EndReason =
  /** Asked for: work that was started is finished, the rest is given back. */
  | 'drained'
  /** Nobody listens any more; operators behind may still have work in hand. */
  | 'unsubscribed'
  /** As before, but nothing is waited for. */
  | 'abandoned'
  /** All that was wanted has been delivered. */
  | 'completed'
  /** For good: the error is told when everything was given back. */
  | 'failed';

const COMMIT_GRACE_MS = 1000;

/**
 * One subscription from beginning to end: brings membership, positions, fetching, delivery and
 * commits together, and owns the partitions that are assigned meanwhile.
 */
export class ConsumerRun implements GroupHandler, PartitionListener, DeliveryHooks, FetchHooks {
  readonly pipeline = new Pipeline();
  readonly budget: ByteBudget;
  private readonly fetcher: Fetcher;
  private readonly deliverer: Deliverer;
  private readonly positions: Positions;
  private readonly committer: Committer | undefined;
  private readonly watchdog: Watchdog;
  private readonly drains: Drains;
  private member: Member;
  private list: readonly AssignedPartition[] = [];
  private readonly topicSizes = new Map<string, number>();
  private readonly ranges = new Map<string, PartitionRange>();
  private stopListening: () => void = () => undefined;
  private cancelRedelivery: { at: number; cancel: () => void } | undefined;
  private ending: Promise<DrainReport> | undefined;
  private failure: KafkaError | undefined;
  private finishedBefore = 0;
  private abandoned = 0;
  private isStarved = false;
  private ended: () => void = () => undefined;
  /** Left because the pipeline hangs; joins again when it shows that it lives. */
  private isAwaitingLife = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly run: RunOptions,
  ) {
    const { clock, options } = context;
    const { source, decoder, metrics } = run;
    const partitions = () => this.list;
    this.budget = new ByteBudget(options.maxBufferedBytes, () => {
      if (this.fetcher.isStarved) this.fetcher.wake();
    });
    this.fetcher = new Fetcher(context, this.budget, partitions, metrics, this);
    const settings = {
      isAutoAck: options.ack === 'auto',
      maxPollRecords: options.maxPollRecords,
      open: { checkCrcs: options.checkCrcs },
    };
    this.deliverer = new Deliverer(clock, this.budget, partitions, decoder, settings, this);
    this.positions = new Positions(context, {
      member: () => this.member.metadata,
      isNewPartition: ({ topic, partition }) => partition >= (this.topicSizes.get(topic) ?? 0),
      onReady: () => {
        this.fetcher.wake();
        this.checkRangesEnd();
      },
      onFatal: (error, partition) => this.onFatal(error, partition),
    });
    this.watchdog = new Watchdog(context, {
      partitions,
      hasAcked: () => this.recordsFinished > 0,
      onHung: (partition) => this.hung(partition),
    });
    this.drains = new Drains(clock);
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
    if (source.type !== 'partitions') return;
    for (const range of source.ranges) this.ranges.set(nameOf(range), range);
  }

  /** The partitions that are held now. */
  get partitions(): readonly AssignedPartition[] {
    return this.list;
  }

  get groupMetadata(): GroupMetadata | undefined {
    return this.member.metadata;
  }

  get isEnding(): boolean {
    return this.ending !== undefined;
  }

  find(where: TopicPartition): AssignedPartition | undefined {
    return this.list.find((each) => each.key === nameOf(where));
  }

  /** Begins; everything that happens comes through the outlets and as events. */
  start(): void {
    const { source } = this.run;
    this.stopListening = this.context.cluster.onMetadata((metadata, changes) =>
      this.noteMetadata(metadata, changes),
    );
    if (source.type === 'topics') this.noteTopicSizes(source.topics);
    this.committer?.start();
    this.watchdog.start();
    this.member.join();
  }

  /** Calls back when the subscription has ended and left nothing behind. */
  onEnded(callback: () => void): void {
    this.ended = callback;
  }

  /** Goes on after something that the handle did: a seek, a pause, a resume. */
  wake(): void {
    this.fetcher.wake();
    this.deliverer.wake();
  }

  /** Begins partitions anew at other positions. */
  seek(partitions: readonly AssignedPartition[], start: StartPosition): void {
    for (const partition of partitions) partition.forgetPosition();
    this.positions.resolve(partitions, () => start);
  }

  /** Commits given offsets, or what is acked of everything. */
  async commit(offsets: readonly PartitionOffset[] | undefined, timeoutMs: number): Promise<void> {
    if (this.committer === undefined) throw noGroup();
    if (offsets !== undefined) {
      await this.committer.commit(offsets, timeoutMs);
      return;
    }
    const error = await this.committer.commitAcked(this.list, timeoutMs);
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

  // ---- from the group

  async onAssigned(
    added: readonly TopicPartition[],
    _all?: readonly TopicPartition[],
  ): Promise<void> {
    if (this.isEnding || added.length === 0) return;
    const fresh = added.map((where) => this.newPartition(where));
    this.list = [...this.list, ...fresh];
    for (const { topic } of fresh) {
      // A topic first heard of now has no partitions that are younger than the subscription.
      if (!this.topicSizes.has(topic) && this.run.source.type === 'pattern') continue;
      if (!this.topicSizes.has(topic)) this.noteTopicSizes([topic]);
    }
    this.context.emit({ type: 'assigned', partitions: added.map(plain) });
    for (const partition of fresh) this.run.outlets.attach(partition);
    const given = await this.askWhereToBegin(fresh);
    const held = fresh.filter((partition) => this.list.includes(partition));
    const waiting = held.filter(({ phase }) => phase === 'new');
    this.positions.resolve(
      waiting,
      (partition) => given.get(partition.key) ?? this.startOf(partition),
    );
  }

  async onRevoked(removed: readonly TopicPartition[], deadlineMs: number): Promise<void> {
    const { clock, options } = this.context;
    const startedAt = clock.monotonic();
    const leaving = this.held(removed);
    const deadline = Math.min(deadlineMs - COMMIT_GRACE_MS, startedAt + options.drainTimeoutMs);
    await this.drain(leaving, Math.max(startedAt, deadline));
    const owned = leaving.filter((partition) => this.list.includes(partition));
    const commitBy = Math.max(deadlineMs, clock.monotonic() + COMMIT_GRACE_MS);
    await this.commitAcked(owned, commitBy);
    const still = owned.filter((partition) => this.list.includes(partition));
    const recordsAbandoned = this.drop(still);
    this.run.metrics.rebalanced(clock.monotonic() - startedAt);
    this.context.emit({ type: 'revoked', partitions: removed.map(plain), recordsAbandoned });
  }

  onLost(lost: readonly TopicPartition[]): void {
    const gone = this.held(lost);
    if (gone.length === 0) return;
    const recordsAbandoned = this.drop(gone);
    this.context.emit({ type: 'lost', partitions: gone.map(plain), recordsAbandoned });
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
    this.committer?.acked();
    if (partition.hasRecords) this.deliverer.wake();
    if (partition.isDraining) this.drains.check();
  }

  onAckedLate(): void {
    if (!this.isAwaitingLife || this.isEnding) return;
    this.isAwaitingLife = false;
    this.member = this.newMember();
    this.member.join();
  }

  onNacked(partition: AssignedPartition, redelivery: Redelivery, reason: unknown): void {
    const { clock, options } = this.context;
    const { record } = redelivery;
    const { topic, partition: index, offset, attempt } = record;
    const where = { topic, partition: index, offset };
    if (partition.isDraining) {
      this.drains.check();
      return;
    }
    if (options.onNack === 'fail') {
      this.onFatal(nackedForGood(where, reason));
    } else if (options.onNack === 'redeliver') {
      const { nackBackoffMs, nackBackoffMaxMs } = options;
      const delayMs = backoffMs(attempt - 1, nackBackoffMs, nackBackoffMaxMs, clock.random());
      this.context.emit({ type: 'redelivered', ...where, attempt: attempt + 1, delayMs, reason });
      this.redeliver(partition, redelivery, delayMs);
    } else {
      const { onNack } = options;
      const { ledger } = partition;
      void this.callBack('onNack', () => onNack({ ...where, attempt, reason })).then((isDone) => {
        if (isDone && ledger.ack(redelivery.sequence)) this.onAcked(partition);
      });
    }
  }

  onReturned(partition: AssignedPartition, redelivery: Redelivery): void {
    if (partition.isDraining) this.drains.check();
    else this.redeliver(partition, redelivery, 0);
  }

  // ---- from delivery

  onCorrupt(
    partition: AssignedPartition,
    error: KafkaError,
    batch: RecordBatch | undefined,
  ): Remedy {
    const { topic, partition: index, position: offset } = partition;
    // Where not even the end of a batch is known there is nothing to go on with.
    if (this.context.options.onCorruptRecord === 'fail' || batch === undefined) {
      this.onFatal(error, partition);
      return 'stop';
    }
    const { nextOffset } = batch;
    this.context.emit({ type: 'skipped', topic, partition: index, offset, nextOffset, error });
    return 'skip';
  }

  onUndecodable(
    partition: AssignedPartition,
    failure: DeserializationFailure,
  ): Remedy | { readonly value: unknown } {
    const { onDeserializationError } = this.context.options;
    if (onDeserializationError === 'fail') {
      this.onFatal(failure.error, partition);
      return 'stop';
    }
    if (onDeserializationError === 'skip') {
      const { topic, partition: index, offset, error } = failure;
      this.context.emit({
        type: 'skipped',
        topic,
        partition: index,
        offset,
        nextOffset: offset + 1,
        error,
      });
      return 'skip';
    }
    try {
      return { value: onDeserializationError(failure) };
    } catch (error) {
      this.onFatal(callbackFailed('onDeserializationError', error), partition);
      return 'stop';
    }
  }

  onChunkEnd(partition: AssignedPartition): void {
    this.run.outlets.chunkEnded(partition);
  }

  onDelivered(partition: AssignedPartition, records: number): void {
    this.run.metrics.delivered(partition.topic, records);
    this.isStarved = false;
    this.checkCaughtUp(partition);
    if (partition.position >= partition.endOffset) this.checkRangesEnd();
  }

  onIdle(): void {
    this.fetcher.wake();
    this.checkStarved();
  }

  // ---- from fetching

  onFetched(): void {
    for (const partition of this.list) {
      if (partition.hasRecords) this.run.outlets.fetched(partition);
      else this.checkCaughtUp(partition);
    }
    this.deliverer.wake();
  }

  onOutOfRange(partition: AssignedPartition): void {
    if (partition.hasRecords) {
      // What was fetched before is still good.
      partition.retryAt = this.context.clock.monotonic() + this.context.options.retryBackoffMs;
      return;
    }
    this.positions.reset(partition, 'out-of-range');
  }

  onDiverged(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void {
    this.positions.truncated(partition, endOffset, leaderEpoch);
    this.fetcher.wake();
  }

  // ---- inside

  private get recordsFinished(): number {
    return this.list.reduce((sum, each) => sum + each.recordsAcked, this.finishedBefore);
  }

  private newMember(): Member {
    const { cluster, clock, options } = this.context;
    const { source } = this.run;
    if (source.type === 'partitions') return fixedAssignment(source.ranges, this);
    const { groupId } = options;
    if (groupId === undefined) return new SelfAssigned(this.context, source, this);
    const { maxPollIntervalMs: rebalanceTimeoutMs } = options;
    return createMember({
      cluster,
      clock,
      options: { ...options, groupId, rebalanceTimeoutMs },
      subscription: source,
      handler: this,
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

  private held(partitions: readonly TopicPartition[]): AssignedPartition[] {
    return partitions.flatMap((where) => this.find(where) ?? []);
  }

  /** What the user's `onAssign` says, if there is one. */
  private async askWhereToBegin(
    partitions: readonly AssignedPartition[],
  ): Promise<Map<string, StartPosition>> {
    const starts = new Map<string, StartPosition>();
    const { onAssign, drainTimeoutMs } = this.context.options;
    if (onAssign === undefined) return starts;
    const asked = this.callBack(
      'onAssign',
      () => onAssign(partitions.map(plain)),
      (offsets) => {
        if (!Array.isArray(offsets)) return;
        for (const given of offsets as readonly PartitionOffset[]) {
          starts.set(nameOf(given), { from: 'offset', offset: given.offset });
        }
      },
    );
    await this.drains.within(asked, drainTimeoutMs);
    return starts;
  }

  /** Runs a callback of the user's and waits for it. False when it failed: the stream ends. */
  private async callBack(
    name: string,
    call: () => ObservableInput<unknown>,
    use: (last: unknown) => void = () => undefined,
  ): Promise<boolean> {
    try {
      const result = call() as ObservableInput<unknown> | undefined;
      if (result !== undefined) use(await lastValueFrom(from(result), { defaultValue: undefined }));
      return true;
    } catch (error) {
      this.onFatal(callbackFailed(name, error));
      return false;
    }
  }

  /** Waits for work in hand, as long as the reason to leave allows. */
  private async finishWork(
    reason: EndReason,
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
  ): Promise<void> {
    const { clock } = this.context;
    switch (reason) {
      case 'abandoned':
        return;
      case 'drained':
      case 'failed':
        await this.drain(partitions, clock.monotonic() + timeoutMs);
        return;
      case 'unsubscribed':
        // An operator may have had enough, as take() has; those behind it go on with what they got.
        this.stopDelivery(partitions);
        await this.drains.done(partitions, clock.monotonic() + timeoutMs);
        return;
      case 'completed':
        this.stopDelivery(partitions);
        await this.whileItProgresses(partitions, timeoutMs);
    }
  }

  /** All was delivered: as long as records are being acked there is no hurry. */
  private async whileItProgresses(
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
  ): Promise<void> {
    for (let before = -1; before !== this.recordsFinished;) {
      before = this.recordsFinished;
      await this.drains.done(partitions, this.context.clock.monotonic() + timeoutMs);
      if (partitions.every(({ isDrained }) => isDrained)) return;
    }
  }

  private stopDelivery(partitions: readonly AssignedPartition[]): void {
    for (const partition of partitions) {
      partition.isDraining = true;
      partition.dropUndelivered();
    }
  }

  /** Stops delivery and waits until work in hand is done; at the deadline it is told to stop. */
  private async drain(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    if (partitions.length === 0) return;
    const { beforeRevoke } = this.context.options;
    this.stopDelivery(partitions);
    this.context.emit({ type: 'draining', partitions: partitions.map(plain) });
    for (const partition of partitions) this.run.outlets.detach(partition);
    this.pipeline.draining();
    const waits = [this.drains.done(partitions, deadline)];
    if (beforeRevoke !== undefined) {
      const asked = this.callBack('beforeRevoke', () => beforeRevoke(partitions.map(plain)));
      waits.push(this.drains.within(asked, deadline - this.context.clock.monotonic()));
    }
    await Promise.all(waits);
    for (const partition of partitions) if (!partition.isDrained) partition.abortWork();
  }

  private async commitAcked(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<void> {
    if (!this.context.options.enableAutoCommit || partitions.length === 0) return;
    await this.committer?.commitBefore(partitions, deadline);
  }

  /** Fences and forgets partitions; returns how many records were in hand. */
  private drop(partitions: readonly AssignedPartition[]): number {
    let inHand = 0;
    this.list = this.list.filter((each) => !partitions.includes(each));
    for (const partition of partitions) {
      inHand += partition.ledger.inHand;
      partition.isDraining = true;
      partition.endEpoch();
      this.finishedBefore += partition.recordsAcked;
      this.run.outlets.detach(partition);
    }
    this.abandoned += inHand;
    this.drains.check();
    return inHand;
  }

  private async leave(reason: EndReason, timeoutMs: number): Promise<DrainReport> {
    const { clock } = this.context;
    this.fetcher.stop();
    this.deliverer.stop();
    this.positions.stop();
    this.watchdog.stop();
    this.cancelRedelivery?.cancel();
    this.stopListening();
    const partitions = [...this.list];
    // Before the drain: what operators hold back comes out when the stream completes.
    if (reason !== 'failed') this.run.outlets.complete();
    await this.finishWork(reason, partitions, timeoutMs);
    const held = partitions.filter((partition) => this.list.includes(partition));
    await this.commitAcked(held, clock.monotonic() + COMMIT_GRACE_MS * 5);
    const offsetsCommitted = held.flatMap(({ topic, partition, committedOffset: offset }) =>
      offset === undefined ? [] : [{ topic, partition, offset }],
    );
    this.committer?.stop();
    this.drop(held);
    this.drains.stop();
    await this.member.leave();
    const report: DrainReport = {
      recordsFinished: this.recordsFinished,
      recordsAbandoned: this.abandoned,
      offsetsCommitted,
    };
    this.pipeline.end();
    this.ended();
    this.context.emit({ type: 'drained', ...report });
    if (this.failure !== undefined) this.run.outlets.fail(this.failure);
    return report;
  }

  private redeliver(partition: AssignedPartition, redelivery: Redelivery, delayMs: number): void {
    const dueAt = this.context.clock.monotonic() + delayMs;
    redelivery.dueAt = dueAt;
    const { redeliveries } = partition;
    let at = redeliveries.length;
    while (at > 0 && redeliveries[at - 1]!.dueAt > dueAt) at--;
    redeliveries.splice(at, 0, redelivery);
    this.scheduleRedelivery(dueAt);
  }

  private scheduleRedelivery(at: number): void {
    if (this.cancelRedelivery !== undefined && this.cancelRedelivery.at <= at) return;
    this.cancelRedelivery?.cancel();
    const delayMs = Math.max(0, Math.ceil(at - this.context.clock.monotonic()));
    const cancel = this.context.clock.schedule(delayMs, () => {
      this.cancelRedelivery = undefined;
      this.deliverer.wake();
      const next = Math.min(...this.list.map(({ redeliveries }) => nextDue(redeliveries, at)));
      if (next < Infinity) this.scheduleRedelivery(next);
    });
    this.cancelRedelivery = { at, cancel };
  }

  private noteTopicSizes(topics: readonly string[]): void {
    for (const name of topics) {
      const topic = this.context.cluster.metadata.topics.get(name);
      if (topic !== undefined && topic.partitions.length > 0) {
        this.topicSizes.set(name, topic.partitions.length);
      }
    }
  }

  private noteMetadata({ topics }: ClusterMetadata, changes: readonly MetadataChange[]): void {
    if (this.run.source.type === 'topics') {
      const unknown = this.run.source.topics.filter((name) => !this.topicSizes.has(name));
      this.noteTopicSizes(unknown);
    }
    for (const change of changes) {
      if (change.type !== 'topic-recreated') continue;
      for (const partition of this.list) {
        if (partition.topic === change.topic) this.positions.reset(partition, 'recreated');
      }
    }
    for (const partition of this.list) {
      const known = topics.get(partition.topic)?.partitions[partition.partition];
      if (known !== undefined) this.noteLeader(partition, known.leaderEpoch);
    }
    this.fetcher.wake();
  }

  private noteLeader(partition: AssignedPartition, leaderEpoch: number): void {
    if (leaderEpoch < 0 || leaderEpoch === partition.validatedEpoch) return;
    const isFirst = partition.validatedEpoch < 0;
    partition.validatedEpoch = leaderEpoch;
    if (isFirst) return;
    // What is on the way from the old leader may never come.
    partition.fetch = undefined;
    if (partition.phase === 'active' && partition.lastFetchedEpoch >= 0) {
      this.positions.validate(partition);
    }
  }

  private checkCaughtUp(partition: AssignedPartition): void {
    if (partition.isCaughtUp || partition.phase !== 'active') return;
    const end = partition.endOfLog(this.context.options.isolationLevel === 'read_committed');
    const { topic, partition: index, position: offset } = partition;
    if (end < 0 || offset < end) return;
    partition.isCaughtUp = true;
    this.context.emit({ type: 'caught-up', topic, partition: index, offset });
  }

  /** A bounded run ends by position: the last records may be markers, or compacted away. */
  private checkRangesEnd(): void {
    if (this.run.source.type !== 'partitions') return;
    const isOver = this.list.every(({ position, endOffset }) => position >= endOffset);
    if (isOver) void this.end('completed');
  }

  private checkStarved(): void {
    if (this.isStarved || !this.pipeline.holdsBack) return;
    let isHeld = false;
    let canComeLater = false;
    for (const partition of this.list) {
      const { ledger } = partition;
      if (ledger.unacked > 0) isHeld = true;
      if (partition.isPaused || ledger.free <= 0) continue;
      if (partition.hasRecords) return;
      if (this.fetcher.isStarved) continue;
      const isAtEnd =
        partition.fetchOffset >= Math.min(partition.highWatermark, partition.endOffset);
      if (!isAtEnd || !partition.hasPosition) return;
      canComeLater = true;
    }
    if (!isHeld) return;
    if (canComeLater) {
      this.pipeline.starved('idle');
      return;
    }
    this.isStarved = true;
    const reason = this.fetcher.isStarved ? 'bytes' : 'window';
    this.context.emit({ type: 'starved', reason });
    this.pipeline.starved('exhausted');
  }

  /** The pipeline hangs: gives its partitions to others. */
  private hung(partition: AssignedPartition): void {
    if (this.isEnding || this.isAwaitingLife || this.run.source.type === 'partitions') return;
    const { maxPollIntervalMs, onMaxPollInterval, groupId } = this.context.options;
    if (groupId === undefined) return;
    const { offset } = partition.ledger.oldestUnacked!;
    const message =
      `Nothing was done for ${maxPollIntervalMs} ms (maxPollIntervalMs) with records in hand, the ` +
      `oldest at ${partition.key} offset ${offset}: the consumer leaves group ${groupId}`;
    const { topic, partition: index } = partition;
    if (onMaxPollInterval === 'fail') {
      const context = { topic, partition: index, offset };
      this.onFatal(new KafkaError(message, { code: 'MAX_POLL_INTERVAL_EXCEEDED', context }));
      return;
    }
    this.context.emit({ type: 'warning', code: 'MAX_POLL_INTERVAL_EXCEEDED', message });
    this.isAwaitingLife = true;
    const { member } = this;
    void this.commitAcked(this.list, this.context.clock.monotonic() + COMMIT_GRACE_MS).then(() => {
      this.onLost(this.list);
      return member.leave();
    });
  }
}

function nextDue(redeliveries: readonly Redelivery[], after: number): number {
  return redeliveries.find(({ dueAt }) => dueAt > after)?.dueAt ?? Infinity;
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

function noGroup(): KafkaError {
  return new KafkaError('Cannot commit: the consumer has no groupId', { code: 'NO_GROUP' });
}

function callbackFailed(name: string, cause: unknown): KafkaError {
  return asKafkaError(cause, `The callback ${name} failed`, 'CALLBACK_FAILED');
}

function nackedForGood({ topic, partition, offset }: PartitionOffset, reason: unknown): KafkaError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new KafkaError(`The record at ${topic}-${partition} offset ${offset} failed: ${why}`, {
    code: 'RECORD_FAILED',
    context: { topic, partition, offset },
    cause: reason,
  });
}
