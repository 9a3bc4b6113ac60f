import { Queue } from '../core/util/queue.js';

/** What is kept in order. */
export type LaneOrder = 'partition' | 'key' | 'none';

/** What a record must have to be put into a lane. */
export interface LaneRecord {
  readonly topic: string;
  readonly partition: number;
  readonly rawKey: Buffer | null;
}

interface Lane<T> {
  readonly name: string;
  readonly waiting: Queue<T>;
  isBusy: boolean;
}

/**
 * Records in lanes, of which so many are in work at once: one of a lane, in order, and a lane waits
 * for no other. Constant time for each record.
 */
export class Lanes<T extends LaneRecord> {
  private readonly lanes = new Map<string, Lane<T>>();
  /** Lanes whose first record may start, in the order in which they became so. */
  private readonly ready = new Queue<Lane<T>>();
  private readonly inWork = new Map<T, Lane<T>>();
  private waitingCount = 0;
  private unordered = 0;

  constructor(
    private readonly order: LaneOrder,
    private readonly concurrency: number,
  ) {}

  get isEmpty(): boolean {
    return this.waitingCount === 0 && this.inWork.size === 0;
  }

  push(record: T): void {
    const lane = this.laneOf(record);
    lane.waiting.push(record);
    this.waitingCount++;
    if (lane.waiting.length === 1 && !lane.isBusy) this.ready.push(lane);
  }

  /** The next record to work on; `undefined` while all hands are busy or nothing may start. */
  start(): T | undefined {
    while (this.inWork.size < this.concurrency) {
      const lane = this.ready.shift();
      if (lane === undefined) return undefined;
      const record = lane.waiting.shift();
      // It was taken out meanwhile.
      if (record === undefined) continue;
      this.waitingCount--;
      lane.isBusy = true;
      this.inWork.set(record, lane);
      return record;
    }
    return undefined;
  }

  /** A record's work is over: the next of its lane may start. */
  finish(record: T): void {
    const lane = this.inWork.get(record);
    if (lane === undefined) return;
    this.inWork.delete(record);
    lane.isBusy = false;
    if (lane.waiting.length > 0) this.ready.push(lane);
    else this.lanes.delete(lane.name);
  }

  /** Takes records out that were not started. */
  takeWaiting(isWanted: (record: T) => boolean): T[] {
    const taken: T[] = [];
    for (const lane of this.lanes.values()) {
      for (let left = lane.waiting.length; left > 0; left--) {
        const record = lane.waiting.shift()!;
        if (isWanted(record)) taken.push(record);
        else lane.waiting.push(record);
      }
      if (lane.waiting.length === 0 && !lane.isBusy) this.lanes.delete(lane.name);
    }
    this.waitingCount -= taken.length;
    return taken;
  }

  private laneOf(record: T): Lane<T> {
    const name = this.nameOf(record);
    let lane = this.lanes.get(name);
    if (lane === undefined) {
      lane = { name, waiting: new Queue<T>(), isBusy: false };
      this.lanes.set(name, lane);
    }
    return lane;
  }

  /** Records without a key have no order to keep among keys: they keep their partition's. */
  private nameOf({ topic, partition, rawKey }: T): string {
    if (this.order === 'none') return String(this.unordered++);
    const lane = `${topic}-${partition}`;
    return this.order === 'key' && rawKey !== null ? `${lane} ${rawKey.toString('latin1')}` : lane;
  }
}
