import type { GroupMetadata, TopicPartition } from '../../group/index.js';
import { KafkaError } from '../../util/errors.js';
import { AssignedPartition } from '../assigned-partition.js';
import { UserCallbacks } from '../callbacks.js';
import type { ConsumerContext } from '../context.js';
import type { Decoder } from '../delivering/decoder.js';
import type { Outlets } from '../delivering/outlets.js';
import { Redeliverer } from '../delivering/redeliverer.js';
import type { DrainReport, PartitionOffset } from '../events.js';
import type { ByteBudget } from '../fetching/byte-budget.js';
import type { ConsumerMetrics } from '../metrics.js';
import { Pipeline } from '../pipeline.js';
import { Committer } from '../positions/committer.js';
import { Positions, type StartPosition } from '../positions/positions.js';
import { TopicSizes } from '../positions/topic-sizes.js';
import { BoundedEnd } from './bounded-end.js';
import { Drainer, type EndReason } from './drainer.js';
import { Ending } from './ending.js';
import { Flow } from './flow.js';
import { GroupForTransactions } from './group-for-transactions.js';
import { Handover } from './handover.js';
import { Holdings } from './holdings.js';
import { Membership } from './membership.js';
import { RecordOutcomes } from './record-outcomes.js';
import { MissingTopics } from './missing-topics.js';
import { askAnewOfRefused, refusalOf } from './refused-topics.js';
import { memberFor, rangesOf, type PartitionRange, type RunSource } from './run-source.js';
import { Watchdog } from './watchdog.js';
import { noteWhereabouts } from './whereabouts.js';

/** What a run consumes, and where to. */
export interface RunOptions {
  readonly source: RunSource;
  readonly outlets: Outlets;
  readonly decoder: Decoder;
  readonly metrics: ConsumerMetrics;
  /** Partitions that the user has paused, by name; they stay so over rebalances. */
  readonly paused: ReadonlyMap<string, unknown>;
}

/**
 * One subscription from beginning to end. Makes its parts, tells each what it has to know of the
 * others, and does what the consumer's handle asks for.
 */
export class ConsumerRun {
  private readonly holdings = new Holdings();
  private readonly ranges: ReadonlyMap<string, PartitionRange>;
  private readonly pipeline: Pipeline;
  private readonly flow: Flow;
  private readonly topicSizes: TopicSizes;
  private readonly positions: Positions;
  private readonly committer: Committer | undefined;
  private readonly drainer: Drainer;
  private readonly handover: Handover;
  private readonly membership: Membership;
  private readonly boundedEnd: BoundedEnd;
  private readonly watchdog: Watchdog;
  private readonly redeliverer: Redeliverer;
  private readonly outcomes: RecordOutcomes;
  private readonly ending: Ending;
  private stopListening: () => void = () => undefined;
  private tellEnded: () => void = () => undefined;
  private readonly partitionsNow = () => this.holdings.all;
  private readonly onFatal = (error: KafkaError, guilty?: AssignedPartition) =>
    this.ending.fail(error, guilty);

  constructor(
    private readonly context: ConsumerContext,
    private readonly options: RunOptions,
  ) {
    const callbacks = new UserCallbacks(this.onFatal);
    this.ranges = rangesOf(options.source);
    this.pipeline = this.newPipeline();
    this.flow = this.newFlow();
    this.topicSizes = new TopicSizes(context.cluster);
    this.positions = this.newPositions();
    this.committer = this.newCommitter();
    this.drainer = new Drainer(context, options.outlets, this.pipeline, callbacks);
    this.handover = this.newHandover(callbacks);
    this.membership = this.newMembership();
    this.boundedEnd = new BoundedEnd(context, this.pipeline, {
      partitions: this.partitionsNow,
      onOver: () => void this.end('completed'),
    });
    this.watchdog = this.newWatchdog();
    this.redeliverer = this.newRedeliverer(callbacks);
    this.outcomes = this.newOutcomes();
    this.ending = this.newEnding();
  }

  /** The partitions that are held now. */
  get partitions(): readonly AssignedPartition[] {
    return this.holdings.all;
  }

  get budget(): ByteBudget {
    return this.flow.budget;
  }

  get groupMetadata(): GroupMetadata | undefined {
    return this.membership.metadata;
  }

  get isEnding(): boolean {
    return this.ending.isUnderWay;
  }

  /** Resolves when the subscription has ended and left nothing behind. Ends nothing. */
  get ended(): Promise<unknown> {
    return this.ending.over;
  }

  find(where: TopicPartition): AssignedPartition | undefined {
    return this.holdings.find(where);
  }

  /** Begins; everything that happens comes through the outlets and as events. */
  start(): void {
    const { source } = this.options;
    const missing = new MissingTopics(this.context, source);
    this.stopListening = this.context.cluster.onMetadata((metadata) => {
      const refusal = refusalOf(source, metadata);
      if (refusal !== undefined) this.onFatal(refusal);
      missing.note(metadata);
      this.topicSizes.note();
      noteWhereabouts(this.partitions, metadata, this.positions);
      this.flow.wakeFetching();
    });
    askAnewOfRefused(source, this.context.cluster);
    if (source.type === 'topics') this.topicSizes.subscribed(source.topics);
    this.committer?.start();
    this.watchdog.start();
    this.membership.join();
  }

  /** Calls back when the subscription has ended and left nothing behind. */
  onEnded(callback: () => void): void {
    this.tellEnded = callback;
  }

  /** Goes on after something that the handle did: a seek, a pause, a resume. */
  wake(partition?: AssignedPartition): void {
    this.flow.wake(partition);
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
    return this.ending.begin(reason, timeoutMs);
  }

  /** Has an end that is under way wait no longer than this for work in hand. */
  hasten(timeoutMs: number): void {
    this.drainer.hasten(timeoutMs);
  }

  // ---- its parts, and what each has to know of the others

  private newPipeline(): Pipeline {
    const { clock, options, emit } = this.context;
    return new Pipeline({
      clock,
      isAutoAck: options.ack === 'auto',
      isCommittedOnly: options.isolationLevel === 'read_committed',
      emit,
      group: this.newGroupForTransactions(),
      starvation: () => this.flow.whyStarved,
    });
  }

  private newGroupForTransactions(): GroupForTransactions | undefined {
    const { groupId } = this.context.options;
    if (groupId === undefined) return undefined;
    return new GroupForTransactions(this.context, groupId, {
      partitions: this.partitionsNow,
      member: () => (this.isShared ? this.membership.metadata : { groupId }),
      quiet: () => this.committer?.quiet,
      beginAnew: (partition) => this.seek([partition], { from: 'committed' }),
    });
  }

  private newFlow(): Flow {
    const parts = { ...this.options, partitions: this.partitionsNow, pipeline: this.pipeline };
    return new Flow(this.context, parts, {
      onPassed: (partition) => this.committer?.moved(partition),
      onRanOut: () => this.checkRangesEnd(),
      onOutOfRange: (partition) => this.positions.reset(partition, 'out-of-range'),
      onDiverged: (...where) => this.positions.truncated(...where),
      onFatal: this.onFatal,
    });
  }

  private newPositions(): Positions {
    return new Positions(this.context, {
      member: () => this.membership.metadata,
      sizes: this.topicSizes,
      onBegun: (partition) => this.committer?.moved(partition),
      onReady: () => {
        this.wake();
        this.checkRangesEnd();
        // What begins anew has nothing in hand: a drain of it is over.
        this.drainer.check();
      },
      onFatal: this.onFatal,
    });
  }

  private newCommitter(): Committer | undefined {
    const { groupId } = this.context.options;
    if (groupId === undefined) return undefined;
    return new Committer(this.context, groupId, this.options.metrics, {
      partitions: this.partitionsNow,
      member: () => this.membership.metadata,
      isMember: this.isShared,
      onStaleMember: (reason) => this.membership.requestRejoin(reason),
      onFatal: this.onFatal,
    });
  }

  private newHandover(callbacks: UserCallbacks): Handover {
    const { holdings, positions, topicSizes, drainer, committer, pipeline } = this;
    const { outlets } = this.options;
    return new Handover(
      this.context,
      { holdings, positions, topicSizes, drainer, committer, callbacks, outlets, pipeline },
      {
        isEnding: () => this.isEnding,
        newPartition: (where) => this.newPartition(where),
        startOf: ({ key }) => this.ranges.get(key)?.start ?? { from: 'committed' },
        onFatal: this.onFatal,
      },
    );
  }

  private newPartition({ topic, partition }: TopicPartition): AssignedPartition {
    const { maxUnackedRecords } = this.context.options;
    const created = new AssignedPartition(topic, partition, maxUnackedRecords, this.outcomes);
    created.isPaused = this.options.paused.has(created.key);
    created.endOffset = this.ranges.get(created.key)?.endOffset ?? Infinity;
    return created;
  }

  private newMembership(): Membership {
    const { source, metrics } = this.options;
    const groupToLeave = this.isShared ? this.context.options.groupId : undefined;
    return new Membership(this.context, groupToLeave, {
      newMember: () =>
        memberFor(this.context, source, this.handover, this.topicSizes, metrics.group),
      isEnding: () => this.isEnding,
      abandon: () => this.handover.abandon(),
      onFatal: this.onFatal,
    });
  }

  private newWatchdog(): Watchdog {
    return new Watchdog(this.context, {
      partitions: this.partitionsNow,
      areBytesUsedUp: () => this.flow.isOutOfBytes,
      hasAcked: () => this.holdings.recordsFinished > 0,
      onHung: (partition) => this.membership.pipelineHangs(partition),
    });
  }

  private newRedeliverer(callbacks: UserCallbacks): Redeliverer {
    return new Redeliverer(this.context, callbacks, {
      partitions: this.partitionsNow,
      onDue: () => {
        for (const each of this.partitions)
          if (each.redeliveries.length > 0) this.flow.dueAgain(each);
      },
      onFatal: this.onFatal,
    });
  }

  private newOutcomes(): RecordOutcomes {
    const { flow, drainer, redeliverer, committer, pipeline } = this;
    return new RecordOutcomes(this.context, pipeline, {
      flow,
      drainer,
      redeliverer,
      committer,
      onAckedLate: () => this.membership.pipelineLives(),
    });
  }

  private newEnding(): Ending {
    const { flow, positions, watchdog, redeliverer, boundedEnd } = this;
    const { holdings, drainer, handover, committer, membership, pipeline } = this;
    const { outlets } = this.options;
    const listening = { stop: () => this.stopListening() };
    const movers = [flow, positions, watchdog, redeliverer, boundedEnd, listening];
    return new Ending(
      this.context,
      { movers, outlets, holdings, drainer, handover, committer, membership, pipeline },
      () => this.tellEnded(),
    );
  }

  /** Whether partitions are shared out among members, or taken by this consumer alone. */
  private get isShared(): boolean {
    return this.options.source.type !== 'partitions';
  }

  private checkRangesEnd(): void {
    if (!this.isShared && !this.isEnding) this.boundedEnd.check();
  }
}

function noGroup(): KafkaError {
  return new KafkaError('Cannot commit: the consumer has no groupId', { code: 'NO_GROUP' });
}
