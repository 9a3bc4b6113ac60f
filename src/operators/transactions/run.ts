import { Subscription, type Observable, type Subscriber } from 'rxjs';
import type { ConsumerRecord, OffsetStore, PipelineListener } from '../../core/consumer/index.js';
import type { Clock } from '../../core/util/clock.js';
import type { Kafka } from '../../core/kafka.js';
import { Producer } from '../../core/producer/index.js';
import { FencedError, KafkaError, UnsupportedVersionError } from '../../core/util/errors.js';
import { Pipelines } from '../passing/pipelines.js';
import { TransactionLane, type TransactionResult } from './lane.js';
import type { ResolvedTransactionalOptions, TransactionProject } from './options.js';
import { complaintAboutInstance } from './instance.js';
import { PartitionLane } from './partition-lane.js';
import { Spread } from './spread.js';
import { Turns } from './turns.js';
import { giveBack, refusalOf } from './whole-records.js';

/** So many producers rest while the markers of their last transactions are written. */
const RESTING = 2;

type Owner = ConsumerRecord['owner'];

/** Producers and lanes of one subscription, and what goes to which. */
export class TransactionalRun<K, V> implements PipelineListener, OffsetStore {
  private readonly pipelines = new Pipelines(this);
  private readonly upstream = new Subscription();
  private readonly producers = new Set<Producer>();
  private readonly running = new Set<Promise<void>>();
  private shared: Spread<TransactionLane<K, V>> | undefined;
  private readonly byPartition = new Map<Owner, PartitionLane<K, V>>();
  private groupId: string | undefined;
  private failure: { readonly error: unknown } | undefined;
  private isUpstreamDone = false;
  private isDrained = false;
  private forgetClient: () => void = () => undefined;
  private isStopped = false;

  constructor(
    private readonly target: Kafka | Producer,
    private readonly options: ResolvedTransactionalOptions,
    private readonly project: TransactionProject<K, V, unknown, unknown>,
    private readonly subscriber: Subscriber<TransactionResult>,
  ) {}

  /**
   * Takes the id over before anything is consumed: what a predecessor left undone would keep its
   * offsets, and the end of stable records, in the balance.
   */
  async start(source: Observable<ConsumerRecord<K, V>>): Promise<void> {
    if (this.target instanceof Producer) {
      this.forgetClient = this.target.engine.onClientDrained(() => this.clientDrained());
    }
    try {
      if (this.options.transactionalIdPer === 'instance') {
        const producers = this.transactionalIds().map((id) => this.producerFor(id));
        await Promise.all(producers.map((producer) => producer.initTransactions()));
        if (this.isStopped || this.isUpstreamDone) return;
        const { transactions } = producers[0]!.engine;
        if (transactions?.support?.hasMemberOffsets === false) throw needsPartitions();
        const turns = new Turns(producers);
        const { clock } = producers[0]!.engine;
        const lanes = Array.from({ length: this.options.concurrency }, () =>
          this.newLane(turns, clock, (lane, owner) => this.shared!.claims(lane, owner)),
        );
        this.shared = new Spread(lanes);
        for (const lane of lanes) this.keep(lane.run());
      }
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.isStopped) return;
    this.upstream.add(
      source.subscribe({
        next: (record) => this.next(record),
        error: (error: unknown) => this.fail(error),
        complete: () => this.complete(),
      }),
    );
  }

  /** With an id for each partition, what a predecessor had under way may still count. */
  get leavesStarts(): boolean {
    const isFenced = this.failure?.error instanceof FencedError;
    return this.options.transactionalIdPer === 'instance' && !isFenced;
  }

  /** Unsubscribed: ends what is under way, in the background. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    // The source first: then a consumer knows that nothing more is wanted when records come back.
    this.upstream.unsubscribe();
    this.pipelines.stop();
    for (const lane of this.lanes()) lane.stop();
    void this.closeAll();
  }

  onStarved(reason: 'exhausted' | 'idle'): void {
    if (reason === 'exhausted') for (const lane of this.lanes()) lane.cut();
  }

  onDraining(): void {
    for (const lane of this.lanes()) lane.drain();
    this.dropLeft();
  }

  /** Lanes of partitions that are not held any more, or soon won't be. */
  private dropLeft(): void {
    for (const lane of this.byPartition.values()) if (lane.isLeaving) lane.complete();
  }

  private next(record: ConsumerRecord<K, V>): void {
    if (this.isStopped) {
      giveBack(record);
      return;
    }
    const refusal = refusalOf(record);
    if (refusal !== undefined) {
      this.fail(refusal);
      return;
    }
    const complaint = this.complaintAbout(record);
    if (complaint !== undefined) {
      record.giveBack();
      this.fail(complaint);
      return;
    }
    record.takeOver();
    this.pipelines.note(record.pipeline);
    if (this.shared !== undefined) this.shared.laneOf(record.owner).push(record);
    else this.pushByPartition(record);
  }

  private complaintAbout({ pipeline }: ConsumerRecord<K, V>): KafkaError | undefined {
    const groupId = pipeline.host.group?.groupId;
    if (groupId === undefined) return noGroup();
    if (pipeline.storesOffsets === undefined) {
      pipeline.storesOffsets = this;
      const { member } = pipeline.host.group!;
      const complaint = complaintAboutInstance(this.options.groupInstanceId, member);
      if (complaint !== undefined) return complaint;
    }
    if (pipeline.storesOffsets !== this) return usedTwice(groupId);
    this.groupId ??= groupId;
    return groupId === this.groupId ? undefined : mixedGroups(this.groupId, groupId);
  }

  private pushByPartition(record: ConsumerRecord<K, V>): void {
    const known = this.byPartition.get(record.owner);
    if (known !== undefined) known.push(record);
    // It comes late. To take the id over now could fence whoever has the partition next.
    else if (record.isLeaving) record.giveBack();
    else this.newPartitionLane(record).push(record);
  }

  private newPartitionLane({ owner, topic, partition }: ConsumerRecord<K, V>): PartitionLane<K, V> {
    this.dropLeft();
    const producer = this.producerFor(
      `${this.options.transactionalIdPrefix}-${topic}-${partition}`,
    );
    const onFailed = (error: unknown) => {
      if (!isSucceeded(owner, error)) this.fail(error);
    };
    const turns = new Turns([producer]);
    const isOurs = (_: unknown, each: Owner) => each === owner;
    const lane = new PartitionLane(
      owner,
      producer,
      this.newLane(turns, producer.engine.clock, isOurs, onFailed),
    );
    this.byPartition.set(owner, lane);
    this.keep(
      lane.run(onFailed).finally(() => {
        this.byPartition.delete(owner);
        return this.close(producer);
      }),
    );
    return lane;
  }

  private *lanes(): Iterable<TransactionLane<K, V> | PartitionLane<K, V>> {
    if (this.shared !== undefined) yield* this.shared.lanes;
    yield* [...this.byPartition.values()];
  }

  private newLane(
    turns: Turns,
    clock: Clock,
    isOurs: (lane: TransactionLane<K, V>, owner: Owner) => boolean,
    onFailed = (error: unknown) => this.fail(error),
  ): TransactionLane<K, V> {
    const { options, project, subscriber } = this;
    return new TransactionLane(turns, {
      clock,
      options,
      project,
      subscriber,
      isOurs,
      onFailed,
      onRest: (lane) => this.shared?.release(lane),
    });
  }

  private transactionalIds(): readonly string[] {
    const { transactionalId, transactionalIdPrefix, concurrency } = this.options;
    if (transactionalId !== undefined || this.target instanceof Producer)
      return [transactionalId ?? ''];
    const { groupInstanceId } = this.options;
    const suffix = groupInstanceId ?? Math.floor(this.target.clock.random() * 2 ** 48).toString(36);
    const count = concurrency + RESTING;
    return Array.from({ length: count }, (_, i) => `${transactionalIdPrefix}-${suffix}-${i}`);
  }

  private producerFor(transactionalId: string): Producer {
    if (this.target instanceof Producer) return this.target;
    const producer = this.target.producer({ ...this.options.producer, transactionalId });
    this.producers.add(producer);
    // It is closed with this run, and forgets it then.
    producer.engine.onClientDrained(() => this.clientDrained());
    return producer;
  }

  private keep(task: Promise<void>): void {
    const kept = task.finally(() => this.running.delete(kept));
    this.running.add(kept);
  }

  /** Consumers are drained before: what is not done now won't be. */
  private clientDrained(): void {
    this.isDrained = true;
    this.upstream.unsubscribe();
    this.complete();
  }

  private complete(): void {
    if (this.isStopped || this.isUpstreamDone) return;
    this.isUpstreamDone = true;
    for (const lane of this.lanes()) lane.complete();
    void this.finish();
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined || this.isStopped) return;
    // What a drained client had no time left for goes back, and its report tells.
    if (this.isDrained && isClosed(error)) return;
    this.failure = { error };
    this.isStopped = true;
    this.upstream.unsubscribe();
    this.pipelines.stop();
    for (const lane of this.lanes()) lane.stop();
    void this.finish();
  }

  /** The end is told when nothing is left: so that retry() never races with what was before. */
  private async finish(): Promise<void> {
    await this.closeAll();
    if (this.failure !== undefined) this.subscriber.error(this.failure.error);
    else if (this.isUpstreamDone) this.subscriber.complete();
  }

  private async closeAll(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
    this.pipelines.stop();
    this.forgetClient();
    await Promise.all([...this.producers].map((producer) => this.close(producer)));
  }

  private async close(producer: Producer): Promise<void> {
    if (this.producers.delete(producer)) await producer.close();
  }
}

/** Whoever gets a partition next takes its id over, be it here: no matter for who has lost it. */
function isSucceeded({ isLeaving, signal }: Owner, error: unknown): boolean {
  return isLeaving && signal.aborted && error instanceof FencedError;
}

function isClosed(error: unknown): boolean {
  return error instanceof KafkaError && error.code === 'PRODUCER_CLOSED';
}

function needsPartitions(): UnsupportedVersionError {
  return new UnsupportedVersionError(
    "transactional needs Kafka 2.5 (KIP-447); with older brokers set transactionalIdPer to 'partition', " +
      'and a transactionalIdPrefix, so that each input partition has an id of its own',
  );
}

function noGroup(): KafkaError {
  return new KafkaError('transactional stores the offsets of a group: the source needs a groupId', {
    code: 'NO_GROUP',
  });
}

function mixedGroups(first: string, second: string): KafkaError {
  return new KafkaError(
    `transactional takes the records of one group, and got some of ${first} and some of ${second}`,
    { code: 'MIXED_GROUPS' },
  );
}

function usedTwice(groupId: string): KafkaError {
  return new KafkaError(
    `Two transactional operators share a consumer of group ${groupId}: only one can say how far it is; ` +
      `give each a consumer of its own`,
    { code: 'CONSUMER_SHARED' },
  );
}
