import { Queue } from '../../core/util/queue.js';

/** What is kept in order. */
export type LaneOrder = 'partition' | 'key' | 'none';

/** What a record must have to be put into a lane. */
export interface LaneRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly attempt: number;
  readonly rawKey: Buffer | null;
}

/** How far into a partition work was begun. */
interface Reach {
  /** The highest offset of which it was. */
  offset: number;
}

/** A lane waits for a record to come again. */
interface Hold {
  readonly offset: number;
  /** Called when it waits no longer. */
  readonly onReleased: () => void;
}

/** Records that are worked on one after the other. Most hold one: a queue is made for the second. */
class Lane<T extends LaneRecord> {
  /** The record in work, or about to be tried again. */
  current: T | undefined;
  /** How often work on the current record has failed. */
  failures = 0;
  /** What is at work is what sees to a failure. */
  isRecovering = false;
  /** Waits for its turn among the lanes that may start. */
  isReady = false;
  /** What has to come again before the lane goes on. */
  held: Hold | undefined;
  private first: T | undefined;
  private others: Queue<T> | undefined;
  /** The highest offset that was put here. */
  private newest = -1;

  constructor(
    readonly name: string,
    readonly reach: Reach,
  ) {}

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  /** Nothing of it is in work or has to come again. */
  get isIdle(): boolean {
    return this.current === undefined && this.held === undefined;
  }

  push(record: T): void {
    this.newest = Math.max(this.newest, record.offset);
    if (this.first === undefined) this.first = record;
    else (this.others ??= new Queue<T>()).push(record);
  }

  /** Puts a record that comes again where it was: before those that came after it. */
  pushAgain(record: T): void {
    const later: T[] = [];
    if (record.offset < this.newest) this.takeInto(later, ({ offset }) => offset > record.offset);
    this.push(record);
    for (const each of later) this.push(each);
  }

  shift(): T | undefined {
    const { first } = this;
    this.first = this.others?.shift();
    return first;
  }

  /** Moves what is wanted out of it into a list. */
  takeInto(taken: T[], isWanted: (record: T) => boolean): void {
    const left = (this.first === undefined ? 0 : 1) + (this.others?.length ?? 0);
    for (let i = 0; i < left; i++) {
      const record = this.shift()!;
      if (isWanted(record)) taken.push(record);
      else this.push(record);
    }
  }
}

export type { Lane };

/** The lanes of one partition: one for all its records, or for those without a key, and one a key. */
interface PartitionLanes<T extends LaneRecord> {
  readonly topic: string;
  readonly partition: number;
  readonly reach: Reach;
  readonly whole: Lane<T>;
  readonly byKey: Map<string, Lane<T>>;
  /** Lanes without records are looked for when there are more lanes than this. */
  sweepAt: number;
}

/** Keys mostly come again: their lanes are kept for a while. */
const FIRST_SWEEP = 256;

function sweep<T extends LaneRecord>(lanes: PartitionLanes<T>): void {
  const { byKey } = lanes;
  for (const lane of byKey.values()) if (lane.isEmpty && lane.isIdle) byKey.delete(lane.name);
  lanes.sweepAt = Math.max(FIRST_SWEEP, 2 * byKey.size);
}

/**
 * Records in lanes, of which so many are in work at once: one of a lane, in order, and a lane waits
 * for no other. Constant time for each record.
 */
export class Lanes<T extends LaneRecord> {
  private readonly partitions = new Map<string, PartitionLanes<T>>();
  /** Records mostly come in runs of one partition. */
  private latest: PartitionLanes<T> | undefined;
  /** Lanes whose first record may start, in the order in which they became so. */
  private readonly ready = new Queue<Lane<T>>();
  /** Those whose current record waits to be tried again. */
  private readonly suspended = new Set<Lane<T>>();
  private inWork = 0;
  private waiting = 0;
  private held = 0;

  constructor(
    private readonly order: LaneOrder,
    private readonly concurrency: number,
  ) {}

  get isEmpty(): boolean {
    return this.waiting === 0 && this.inWork === 0 && this.held === 0;
  }

  push(record: T): void {
    const lane = this.laneOf(record);
    this.waiting++;
    if (record.attempt === 1) {
      // Deliveries of an epoch ascend: another one has begun.
      if (record.offset <= lane.reach.offset) lane.reach.offset = -1;
      lane.push(record);
    } else {
      lane.pushAgain(record);
      if (lane.held?.offset === record.offset) this.release(lane);
    }
    this.offer(lane);
  }

  /** A lane whose current record is to be worked on; `undefined` while nothing may start. */
  start(): Lane<T> | undefined {
    while (this.inWork < this.concurrency) {
      const lane = this.ready.shift();
      if (lane === undefined) return undefined;
      lane.isReady = false;
      if (this.suspended.size > 0) this.suspended.delete(lane);
      lane.current ??= lane.shift();
      // What it held was taken out meanwhile.
      if (lane.current === undefined) continue;
      if (lane.current.offset > lane.reach.offset) lane.reach.offset = lane.current.offset;
      this.waiting--;
      this.inWork++;
      return lane;
    }
    return undefined;
  }

  /** The work on a lane's current record is over: its next one may start. */
  finish(lane: Lane<T>): void {
    this.inWork--;
    this.clear(lane);
    this.goOn(lane);
  }

  /** The current record is to be tried again later; meanwhile another lane may be worked on. */
  suspend(lane: Lane<T>): void {
    this.inWork--;
    this.waiting++;
    this.suspended.add(lane);
  }

  /** What was suspended may be tried again, when its turn comes. */
  resume(lane: Lane<T>): void {
    if (!this.suspended.has(lane) || lane.isReady) return;
    lane.isReady = true;
    this.ready.push(lane);
  }

  isSuspended(lane: Lane<T>): boolean {
    return this.suspended.has(lane);
  }

  /** Closes a lane until its current record has come again, or it is released. */
  hold(lane: Lane<T>, onReleased: () => void): void {
    if (this.order === 'none') {
      this.finish(lane);
      onReleased();
      return;
    }
    lane.held = { offset: lane.current!.offset, onReleased };
    this.clear(lane);
    this.inWork--;
    this.held++;
  }

  /** Opens a lane that was closed. */
  release(lane: Lane<T>): void {
    const { held } = lane;
    if (held === undefined) return;
    lane.held = undefined;
    this.held--;
    held.onReleased();
    this.goOn(lane);
  }

  /** Takes records out that were not started. */
  takeWaiting(): T[] {
    return this.take(
      () => true,
      () => true,
    );
  }

  /**
   * Takes records out that were not started, but for those before which others of their partition
   * were: taken out, they would be gaps, and what lies behind a gap is done again by the next owner.
   * Those whose work failed are taken, and what comes after them in their lanes with them.
   */
  takeUnreached(isWanted: (record: T) => boolean): T[] {
    return this.take(isWanted, (record, { offset }) => record.offset >= offset && isWanted(record));
  }

  private take(
    isWanted: (record: T) => boolean,
    isUnreached: (record: T, reach: Reach) => boolean,
  ): T[] {
    const taken: T[] = [];
    for (const lane of this.suspended) {
      if (!isWanted(lane.current!)) continue;
      taken.push(lane.current!);
      lane.takeInto(taken, isWanted);
      this.suspended.delete(lane);
      this.clear(lane);
      this.goOn(lane);
    }
    const takeOf = (lane: Lane<T>) =>
      lane.takeInto(taken, (record) => isUnreached(record, lane.reach));
    if (this.order === 'none') for (const lane of this.ready) takeOf(lane);
    for (const { whole, byKey } of this.partitions.values()) {
      takeOf(whole);
      for (const lane of byKey.values()) {
        takeOf(lane);
        if (lane.isEmpty && lane.isIdle) byKey.delete(lane.name);
      }
    }
    this.waiting -= taken.length;
    return taken;
  }

  /** Takes out of a lane what was not started. */
  takeWaitingIn(lane: Lane<T>): T[] {
    const taken: T[] = [];
    lane.takeInto(taken, () => true);
    this.waiting -= taken.length;
    return taken;
  }

  private clear(lane: Lane<T>): void {
    lane.current = undefined;
    lane.failures = 0;
    lane.isRecovering = false;
  }

  private goOn(lane: Lane<T>): void {
    if (!lane.isEmpty) this.offer(lane);
  }

  private offer(lane: Lane<T>): void {
    if (lane.isReady || !lane.isIdle) return;
    lane.isReady = true;
    this.ready.push(lane);
  }

  /** Records without a key have no order to keep among keys: they keep their partition's. */
  private laneOf(record: T): Lane<T> {
    if (this.order === 'none') return new Lane<T>('', { offset: -1 });
    const lanes = this.lanesOf(record);
    const { whole, byKey, reach } = lanes;
    if (this.order === 'partition') return whole;
    const key = record.rawKey?.toString('latin1');
    if (key === undefined) return whole;
    let lane = byKey.get(key);
    if (lane === undefined) {
      if (byKey.size >= lanes.sweepAt) sweep(lanes);
      byKey.set(key, (lane = new Lane<T>(key, reach)));
    }
    return lane;
  }

  private lanesOf({ topic, partition }: T): PartitionLanes<T> {
    const { latest } = this;
    if (latest?.partition === partition && latest.topic === topic) return latest;
    const name = `${topic}-${partition}`;
    let lanes = this.partitions.get(name);
    if (lanes === undefined) {
      const reach = { offset: -1 };
      const whole = new Lane<T>(name, reach);
      const byKey = new Map<string, Lane<T>>();
      lanes = { topic, partition, reach, whole, byKey, sweepAt: FIRST_SWEEP };
      this.partitions.set(name, lanes);
    }
    this.latest = lanes;
    return lanes;
  }
}
