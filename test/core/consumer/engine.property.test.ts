import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Consumer, ConsumerRecord, ConsumerOptions } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';
import { insidesOf } from '../../support/insides.js';
import { fill, upTo, watch, type Watched } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const PARTITIONS = 3;
/** What one batch may come to, decompressed, with what belongs to its frame. */
const LARGEST_BATCH = 6 * 1024;

interface Settings {
  readonly window: number;
  readonly maxBufferedBytes: number;
  readonly maxPartitionFetchBytes: number;
  readonly groupProtocol: 'classic' | 'consumer';
}

type Step =
  | {
      readonly do: 'produce';
      readonly partition: number;
      readonly count: number;
      readonly isPacked: boolean;
    }
  | { readonly do: 'ack' | 'nack'; readonly who: number; readonly pick: number }
  | { readonly do: 'seek'; readonly who: number; readonly partition: number; readonly to: number }
  | { readonly do: 'pause' | 'resume'; readonly who: number; readonly partition: number }
  | { readonly do: 'commit' | 'join' | 'leave' | 'vanish'; readonly who: number }
  | { readonly do: 'moveLeader' | 'dropFetch' }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'linger' | 'settle' };

const who = fc.nat(1);
const partition = fc.nat(PARTITIONS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('produce' as const),
      partition,
      count: fc.integer({ min: 1, max: 12 }),
      isPacked: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('ack' as const), who, pick: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('nack' as const), who, pick: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('seek' as const), who, partition, to: fc.nat(40) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('pause' as const, 'resume' as const),
      who,
      partition,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('commit' as const, 'join' as const, 'leave' as const, 'vanish' as const),
      who,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('moveLeader' as const, 'dropFetch' as const) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('linger' as const, 'settle' as const) }),
  },
);

const settings: fc.Arbitrary<Settings> = fc.record({
  window: fc.integer({ min: 1, max: 8 }),
  maxBufferedBytes: fc.constantFrom(2000, 20_000, 1_000_000),
  maxPartitionFetchBytes: fc.constantFrom(1, 600, 100_000),
  groupProtocol: fc.constantFrom('classic' as const, 'consumer' as const),
});

/** What was delivered of a partition since its epoch began: what the window is counted in. */
interface Epoch {
  readonly offsets: number[];
  readonly unacked: Set<number>;
}

/** One member of the group, with what it was given. */
class MemberUnderTest {
  private consumer: Consumer | undefined;
  private seen: Watched<ConsumerRecord> | undefined;
  readonly held: ConsumerRecord[] = [];
  private readonly epochs = new Map<number, Epoch>();
  acksAtOnce = false;

  constructor(
    private readonly world: World,
    private readonly options: ConsumerOptions,
  ) {}

  get isIn(): boolean {
    return this.consumer !== undefined;
  }

  join(): void {
    if (this.isIn) return;
    const consumer = this.world.sim.kafka().consumer(this.options);
    consumer.lifecycle.subscribe((event) => {
      if (event.type !== 'position-reset') return;
      this.epochs.set(event.partition, { offsets: [], unacked: new Set() });
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
      const last = epoch.offsets.at(-1) ?? -1;
      if (offset <= last) throw new Error(`${offset} came after ${last}`);
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
    this.world.done[partition]!.add(offset);
    // An ack of an earlier epoch changes nothing in this one.
    if (!record.signal.aborted) this.epochs.get(partition)!.unacked.delete(offset);
    record.ack();
  }
}

/** A cluster, two members, and all that must hold whatever they do. */
class World {
  readonly done = Array.from({ length: PARTITIONS }, () => new Set<number>());
  private readonly excused = Array.from({ length: PARTITIONS }, () => 0);
  private readonly members: readonly MemberUnderTest[];
  private largestSpan = 0;

  constructor(
    readonly sim: Simulation,
    private readonly settings: Settings,
  ) {
    const options: ConsumerOptions = {
      groupId: GROUP,
      autoOffsetReset: 'earliest',
      maxUnackedRecords: settings.window,
      maxBufferedBytes: settings.maxBufferedBytes,
      maxPartitionFetchBytes: settings.maxPartitionFetchBytes,
      groupProtocol: settings.groupProtocol,
      autoCommitIntervalMs: 500,
      drainTimeoutMs: 1000,
      nackBackoffMs: 50,
      maxPollRecords: 5,
    };
    this.members = [new MemberUnderTest(this, options), new MemberUnderTest(this, options)];
  }

  noteSpan(span: number): void {
    this.largestSpan = Math.max(this.largestSpan, span);
  }

  /** What the user has sought past is nobody's fault. */
  excuse(partition: number, upToOffset: number): void {
    this.excused[partition] = Math.max(this.excused[partition]!, upToOffset);
  }

  async perform(step: Step): Promise<void> {
    const { sim } = this;
    const member = 'who' in step ? this.members[step.who]! : this.members[0]!;
    switch (step.do) {
      case 'produce': {
        const compressionType = step.isPacked ? 'gzip' : 'none';
        fill(sim, TOPIC, step.partition, step.count, { compressionType, padding: 200 });
        break;
      }
      case 'ack':
        member.ack(step.pick);
        break;
      case 'nack':
        member.nack(step.pick);
        break;
      case 'seek':
        member.seek(step.partition, Math.min(step.to, this.endOf(step.partition)));
        break;
      case 'pause':
        member.pause(step.partition);
        break;
      case 'resume':
        member.resume([step.partition]);
        break;
      case 'commit':
        await member.commit();
        break;
      case 'join':
        member.join();
        break;
      case 'leave':
        await member.leave();
        break;
      case 'vanish':
        await member.vanish();
        break;
      case 'moveLeader': {
        const { leader } = sim.cluster.inspect().topics[TOPIC]!.partitions[0]!;
        sim.cluster.moveLeader(TOPIC, 0, 3 - leader);
        break;
      }
      case 'dropFetch':
        sim.cluster.drop('Fetch', 1, { when: 'after' });
        break;
      case 'wait':
        await sim.advance(step.ms);
        break;
      case 'linger': {
        await sim.advance(3000);
        const now = sim.clock.monotonic();
        for (const each of this.members) expect(each.idle(now, (p) => this.endOf(p))).toEqual([]);
        break;
      }
      case 'settle':
        await this.settle();
    }
    await sim.advance(0);
    this.check();
  }

  /** With everything acked at once and nothing paused, all there is must come through. */
  async settle(): Promise<void> {
    if (!this.members.some(({ isIn }) => isIn)) this.members[0]!.join();
    for (const member of this.members) {
      member.acksAtOnce = true;
      member.settleAll();
      member.resume();
    }
    const isThrough = () => upTo(PARTITIONS).every((each) => this.isThrough(each));
    for (let waited = 0; waited < 120 && !isThrough(); waited++) {
      await this.sim.advance(500);
      // What a member was given after it was told to ack at once.
      for (const member of this.members) member.settleAll();
    }
    const positions = this.members.map((member) =>
      upTo(PARTITIONS).map((p) => member.positionOf(p)),
    );
    const ends = upTo(PARTITIONS).map((each) => this.endOf(each));
    expect({ isThrough: isThrough(), positions, ends }).toMatchObject({ isThrough: true });
    for (const member of this.members) member.acksAtOnce = false;
  }

  check(): void {
    for (const member of this.members) {
      expect(member.error).toBeUndefined();
      expect(member.stuck).toEqual([]);
    }
    expect(this.largestSpan).toBeLessThanOrEqual(this.settings.window);
    const limit = Math.max(this.settings.maxBufferedBytes, LARGEST_BATCH);
    for (const { bufferedBytes } of this.members) {
      expect(bufferedBytes).toBeLessThanOrEqual(limit + PARTITIONS * LARGEST_BATCH);
    }
    for (const partition of upTo(PARTITIONS)) {
      const committed = this.sim.cluster.groupOffsets(GROUP)[TOPIC]?.[partition]?.offset ?? 0;
      const missing = upTo(committed).filter(
        (offset) => offset >= this.excused[partition]! && !this.done[partition]!.has(offset),
      );
      expect({ partition, committed, missing }).toEqual({ partition, committed, missing: [] });
    }
  }

  private isThrough(partition: number): boolean {
    const end = this.endOf(partition);
    const isRead = this.members.some((member) => member.positionOf(partition) === end);
    const left = upTo(end - this.excused[partition]!, this.excused[partition]);
    return isRead && left.every((offset) => this.done[partition]!.has(offset));
  }

  private endOf(partition: number): number {
    return this.sim.cluster.inspect().topics[TOPIC]!.partitions[partition]!.logEndOffset;
  }
}

describe('any interleaving of deliver, ack, nack, revoke, assign, seek, pause and commit', () => {
  it('commits nothing past an unacked record, keeps within window and bytes, and never stays stuck', async () => {
    await fc.assert(
      fc.asyncProperty(
        settings,
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.nat(1000),
        async (given, steps, seed) => {
          await using sim = await Simulation.start(
            { brokers: 2, topics: { [TOPIC]: PARTITIONS } },
            seed,
          );
          // More than a fetch brings: no partition is at its end, where it would be asked for again and again.
          for (const partition of upTo(PARTITIONS)) {
            for (let i = 0; i < 8; i++) fill(sim, TOPIC, partition, 4, { padding: 200 });
          }
          const world = new World(sim, given);
          for (const each of steps) await world.perform(each);
          await world.perform({ do: 'settle' });
          // All of it once more after a crash: what was committed is what was done.
          await world.perform({ do: 'wait', ms: 2000 });
        },
      ),
      { numRuns: Number(process.env['ENGINE_RUNS'] ?? 60) },
    );
  }, 120_000);
});
