import type { Consumer, ConsumerOptions, ConsumerRecord } from '../../../../src/index.js';
import { insidesOf } from '../../../support/insides.js';
import type { Simulation } from '../../../support/simulation.js';
import { upTo, watch, type Watched } from '../../../support/watching.js';
import type { LogModel } from './log-model.js';
import { PARTITIONS } from './steps.js';

export const TOPIC = 'orders';

/** What members need of the world that they live in. */
export interface WorldOfMembers {
  readonly sim: Simulation;
  readonly logs: readonly LogModel[];
  /** What was acked, by the numbers that records bear. */
  readonly done: Set<number>;
  excuse(partition: number, upToOffset: number): void;
  complain(what: string): void;
  noteSpan(span: number): void;
  /** A record came for the first time in its epoch. */
  delivered(record: ConsumerRecord, epoch: Epoch): void;
}

export function idOf({ value }: ConsumerRecord): number {
  return Number(String(value));
}

/** What was delivered of a partition since its epoch began: what the window is counted in. */
export interface Epoch {
  /** Where delivery goes on. */
  next: number;
  /** Of the log, when it began. */
  readonly version: number;
  readonly offsets: number[];
  readonly unacked: Set<number>;
}

/** One member of the group, with what it was given. */
export class MemberUnderTest {
  private consumer: Consumer | undefined;
  private seen: Watched<ConsumerRecord> | undefined;
  readonly held: ConsumerRecord[] = [];
  private readonly epochs = new Map<number, Epoch>();
  acksAtOnce = false;

  constructor(
    private readonly world: WorldOfMembers,
    private readonly options: ConsumerOptions,
  ) {}

  get isIn(): boolean {
    return this.consumer !== undefined;
  }

  join(): void {
    if (this.isIn) return;
    const consumer = this.world.sim.kafka().consumer(this.options);
    consumer.lifecycle.subscribe((event) => {
      if (event.type !== 'position-reset' && event.type !== 'truncated') return;
      const { partition, offset } = event;
      // What was worked on when the log was cut off comes once more.
      const unacked = event.type === 'truncated' ? this.epochs.get(partition)!.unacked : [];
      const next = Math.min(offset, ...unacked);
      const { version } = this.world.logs[partition]!;
      this.epochs.set(partition, { next, version, offsets: [], unacked: new Set() });
    });
    this.consumer = consumer;
    this.seen = watch(consumer.records(TOPIC), (record) => this.take(record));
  }

  ack(pick: number): void {
    const [record] = this.held.splice(pick % Math.max(1, this.held.length), 1);
    if (record !== undefined) this.settle(record);
  }

  nack(pick: number): void {
    const [record] = this.held.splice(pick % Math.max(1, this.held.length), 1);
    record?.nack('not now');
  }

  seek(partition: number, to: number): void {
    const where = { topic: TOPIC, partition };
    if (this.consumer?.position(where) === undefined) return;
    this.world.excuse(partition, to);
    this.consumer.seek(where, { offset: to });
  }

  pause(partition: number): void {
    this.consumer?.pause([{ topic: TOPIC, partition }]);
  }

  resume(partitions: readonly number[] = upTo(PARTITIONS)): void {
    this.consumer?.resume(partitions.map((each) => ({ topic: TOPIC, partition: each })));
  }

  async commit(): Promise<void> {
    // Refused while a rebalance goes on.
    if (this.isIn) await this.world.sim.run(this.consumer!.commit().catch(() => undefined));
  }

  /** Leaves in order: what is in hand is done meanwhile. */
  async leave(): Promise<void> {
    const { consumer } = this;
    if (consumer === undefined) return;
    const left = consumer.drain();
    for (const record of this.held.splice(0)) this.settle(record);
    await this.world.sim.run(left);
    this.consumer = undefined;
  }

  /** Leaves with its hands full. */
  async vanish(): Promise<void> {
    const { consumer } = this;
    if (consumer === undefined) return;
    this.held.length = 0;
    this.seen!.subscription.unsubscribe();
    await this.world.sim.run(consumer.close({ timeoutMs: 0 }));
    this.consumer = undefined;
  }

  settleAll(): void {
    for (const record of this.held.splice(0)) this.settle(record);
  }

  get error(): unknown {
    return this.seen?.error;
  }

  positionOf(partition: number): number | undefined {
    return this.consumer?.position({ topic: TOPIC, partition });
  }

  get bufferedBytes(): number {
    const groups = Object.values(this.consumer?.metrics() ?? {});
    return Math.max(0, ...groups.flatMap((group) => group['buffered-bytes-max'] ?? []));
  }

  /** Partitions that have something to deliver, and may, and don't. */
  get stuck(): readonly string[] {
    const run = this.consumer && insidesOf(this.consumer).run;
    if (run === undefined || run.isEnding) return [];
    const stuck = run.partitions.filter((each) => {
      const mayDeliver = each.phase === 'active' && !each.isPaused && !each.isDraining;
      const waitsForBytes = each.awaitsBytes && run.budget.isUsedUp && each.holdsMemory;
      return mayDeliver && each.hasRecords && each.ledger.free > 0 && !waitsForBytes;
    });
    return stuck.map(({ key }) => key);
  }

  /** Partitions that have room, and more in the log, and were left alone. */
  idle(now: number, endOf: (partition: number) => number): readonly string[] {
    const run = this.consumer && insidesOf(this.consumer).run;
    if (run === undefined || run.isEnding) return [];
    const { budget } = run;
    // Below that a fetch waits for bytes to come back.
    const isOutOfBytes = budget.freeBytes < Math.min(16 * 1024, budget.limitBytes / 8);
    const idle = run.partitions.filter((each) => {
      const mayFetch = each.phase === 'active' && !each.isPaused && !each.isDraining;
      const hasMore = each.position < endOf(each.partition) && each.ledger.free > 0;
      return mayFetch && hasMore && each.retryAt <= now && !isOutOfBytes;
    });
    return idle.map(({ key }) => key);
  }

  private take(record: ConsumerRecord): void {
    const { partition, offset, attempt } = record;
    const epoch = this.epochs.get(partition)!;
    if (attempt === 1) {
      if (offset < epoch.next) this.world.complain(`${offset} came where ${epoch.next} was next`);
      this.world.delivered(record, epoch);
      epoch.next = offset + 1;
      epoch.offsets.push(offset);
      epoch.unacked.add(offset);
      const oldest = epoch.offsets.findIndex((each) => epoch.unacked.has(each));
      this.world.noteSpan(epoch.offsets.length - oldest);
    }
    if (this.acksAtOnce) this.settle(record);
    else this.held.push(record);
  }

  private settle(record: ConsumerRecord): void {
    const { partition, offset } = record;
    this.world.done.add(idOf(record));
    // An ack of an earlier epoch changes nothing in this one.
    if (!record.signal.aborted) this.epochs.get(partition)!.unacked.delete(offset);
    record.ack();
  }
}
