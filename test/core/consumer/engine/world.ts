import { expect } from 'vitest';
import type { ConsumerOptions, ConsumerRecord } from '../../../../src/index.js';
import type { Simulation } from '../../../support/simulation.js';
import { upTo } from '../../../support/watching.js';
import { LogModel } from './log-model.js';
import { idOf, MemberUnderTest, TOPIC, type Epoch, type WorldOfMembers } from './member.js';
import { PARTITIONS, type Settings, type Step } from './steps.js';

const GROUP = 'billing';
/** What one batch may come to, decompressed, with what belongs to its frame. */
const LARGEST_BATCH = 6 * 1024;

/** A cluster, two members, and all that must hold whatever they do. */
export class World implements WorldOfMembers {
  readonly done = new Set<number>();
  readonly logs: readonly LogModel[];
  private lastId = 0;
  /** Logs of which something was lost that may be committed still. */
  private readonly shaken = new Set<number>();
  private readonly excused = Array.from({ length: PARTITIONS }, () => 0);
  private readonly members: readonly MemberUnderTest[];
  private readonly complaints: string[] = [];
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
      isolationLevel: settings.isolationLevel,
      autoCommitIntervalMs: 500,
      drainTimeoutMs: 1000,
      nackBackoffMs: 50,
      maxPollRecords: 5,
    };
    const nextId = () => ++this.lastId;
    this.logs = upTo(PARTITIONS).map((each) => new LogModel(sim, TOPIC, each, nextId));
    this.members = [new MemberUnderTest(this, options), new MemberUnderTest(this, options)];
  }

  noteSpan(span: number): void {
    this.largestSpan = Math.max(this.largestSpan, span);
  }

  /** What the user has sought past is nobody's fault. */
  excuse(partition: number, upToOffset: number): void {
    this.excused[partition] = Math.max(this.excused[partition]!, upToOffset);
  }

  /** Notes what must not be; within a delivery it can't be thrown. */
  complain(what: string): void {
    this.complaints.push(what);
  }

  /** What came must be allowed to, and nothing may have been left out before it. */
  delivered(record: ConsumerRecord, epoch: Epoch): void {
    const { partition, offset } = record;
    const log = this.logs[partition]!;
    if (this.isCommittedOnly && !log.mayBeShown(idOf(record))) {
      this.complain(`${partition}:${offset} is not committed`);
    }
    if (epoch.version !== log.version) return;
    const [first] = log.between(epoch.next, offset, this.isCommittedOnly);
    if (first !== undefined) this.complain(`${partition}:${first.offset} was left out`);
  }

  async perform(step: Step): Promise<void> {
    const { sim } = this;
    const member = 'who' in step ? this.members[step.who]! : this.members[0]!;
    switch (step.do) {
      case 'produce':
        this.logs[step.partition]!.write(step);
        break;
      case 'transact':
        this.logs[step.partition]!.transact(step.batches);
        break;
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
      case 'truncate':
        this.truncate(step.partition, step.lost, step.written);
        break;
      case 'recreate':
        await this.recreate(step.absentMs);
        break;
      case 'wait':
        await sim.advance(step.ms);
        break;
      case 'work':
        await this.work(step.ms);
        break;
      case 'linger': {
        await sim.advance(3000);
        const now = sim.clock.monotonic();
        for (const each of this.members)
          expect(each.idle(now, (p) => this.readableEnd(p))).toEqual([]);
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
    for (const log of this.logs) log.endTransactions();
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
    for (const each of this.shaken) {
      if (this.committedOf(each) <= this.endOf(each)) this.shaken.delete(each);
    }
  }

  check(): void {
    expect(this.complaints).toEqual([]);
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
      if (this.shaken.has(partition)) continue;
      const committed = this.committedOf(partition);
      const missing = this.undone(partition, committed);
      expect({ partition, committed, missing }).toEqual({ partition, committed, missing: [] });
    }
  }

  private committedOf(partition: number): number {
    return this.sim.cluster.groupOffsets(GROUP)[TOPIC]?.[partition]?.offset ?? 0;
  }

  private isThrough(partition: number): boolean {
    const end = this.endOf(partition);
    const isRead = this.members.some((member) => member.positionOf(partition) === end);
    return isRead && this.undone(partition, end).length === 0;
  }

  /** Offsets before another that should have been acked, and are not. */
  private undone(partition: number, before: number): number[] {
    return this.logs[partition]!.between(this.excused[partition]!, before, this.isCommittedOnly)
      .filter(({ id }) => !this.done.has(id))
      .map(({ offset }) => offset);
  }

  private truncate(partition: number, lost: number, written: number): void {
    this.logs[partition]!.lose(lost, written);
    this.shaken.add(partition);
  }

  /** What is in hand is acked at once for a time, and what comes. */
  private async work(ms: number): Promise<void> {
    for (const member of this.members) {
      member.acksAtOnce = true;
      member.settleAll();
    }
    await this.sim.advance(ms);
    for (const member of this.members) member.acksAtOnce = false;
  }

  private async recreate(absentMs: number): Promise<void> {
    const { sim } = this;
    sim.cluster.deleteTopic(TOPIC);
    for (const partition of upTo(PARTITIONS)) {
      this.logs[partition]!.clear();
      this.excused[partition] = 0;
      this.shaken.add(partition);
    }
    await sim.advance(absentMs);
    sim.cluster.createTopic(TOPIC, { partitions: PARTITIONS });
  }

  private get isCommittedOnly(): boolean {
    return this.settings.isolationLevel === 'read_committed';
  }

  private readableEnd(partition: number): number {
    const { end, stableEnd } = this.logs[partition]!;
    return this.isCommittedOnly ? stableEnd : end;
  }

  private endOf(partition: number): number {
    return this.logs[partition]!.end;
  }
}
