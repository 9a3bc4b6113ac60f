import { beforeEach, describe, expect, it } from 'vitest';
import {
  AssignedPartition,
  type Outlet,
} from '../../../../src/core/consumer/assigned-partition.js';
import { ByteBudget } from '../../../../src/core/consumer/fetching/byte-budget.js';
import { Decoder } from '../../../../src/core/consumer/delivering/decoder.js';
import {
  Deliverer,
  type DeliveryHooks,
} from '../../../../src/core/consumer/delivering/deliverer.js';
import { FetchedChunk } from '../../../../src/core/consumer/fetching/fetched-chunk.js';
import { testPipeline } from '../../../support/records.js';
import { encodeControlBatch, encodeRecords } from '../../../../src/core/records/index.js';
import type { Cancel, Clock } from '../../../../src/core/util/clock.js';
import { FakeClock, settled } from '../../../support/fake-clock.js';
import { upTo } from '../../../support/watching.js';

/** A clock that work takes time on, while timers wait for the event loop to turn. */
class WorkClock implements Clock {
  private readonly timers = new FakeClock();
  private worked = 0;

  /** Something has kept the process busy. */
  work(ms: number): void {
    this.worked += ms;
  }

  /** The event loop turns. */
  turn(): void {
    this.timers.advance(0);
  }

  now = () => this.timers.now() + this.worked;
  monotonic = () => this.timers.monotonic() + this.worked;
  random = () => this.timers.random();
  schedule = (delayMs: number, task: () => void): Cancel => this.timers.schedule(delayMs, task);
  yield = (task: () => void): Cancel => this.timers.yield(task);
}

let clock: WorkClock;
let budget: ByteBudget;
let partitions: AssignedPartition[];
let deliverer: Deliverer;
const offsets: string[] = [];

const quiet: DeliveryHooks = {
  onCorrupt: () => 'stop',
  onUndecodable: () => 'stop',
  onChunkEnd: () => undefined,
  onDelivered: () => undefined,
  onHeldUp: () => undefined,
  onIdle: () => undefined,
  onFailed: () => undefined,
};

/** A partition with so many fetched batches of so many records; each record takes a time to deliver. */
function partitionOf(
  index: number,
  batches: number,
  count: number,
  msEach: number,
  window = 1_000_000,
): AssignedPartition {
  const partition = new AssignedPartition('orders', index, window, {
    pipeline: testPipeline(),
    onAcked: () => deliverer.wake(),
    onAckedLate: () => undefined,
    onNacked: () => undefined,
    onReturned: () => undefined,
    onFailedUnheard: () => undefined,
  });
  partition.begin(0, -1);
  for (let i = 0; i < batches; i++) {
    const contents = upTo(count).map(() => ({ value: 'a', timestamp: 0 }));
    const bytes = encodeRecords(contents, { baseOffset: i * count });
    const memory = budget.hold(bytes.length);
    partition.buffer.push(new FetchedChunk(bytes, i * count, undefined, memory, {}));
  }
  const outlet: Outlet = {
    closed: false,
    next: (record) => {
      clock.work(msEach);
      offsets.push(`${index}:${record.offset}`);
    },
  };
  partition.outlet = outlet;
  return partition;
}

beforeEach(() => {
  offsets.length = 0;
  clock = new WorkClock();
  budget = new ByteBudget(1_000_000, () => undefined);
  partitions = [];
  deliverer = delivererWith(quiet, true);
});

function delivererWith(hooks: DeliveryHooks, isAutoAck: boolean): Deliverer {
  const settings = {
    isAutoAck,
    maxPollRecords: 500,
    open: { checkCrcs: true },
    soon: queueMicrotask,
  };
  return new Deliverer(clock, budget, () => partitions, new Decoder({}), settings, hooks);
}

async function wake(): Promise<void> {
  deliverer.wake();
  await settled();
}

describe('delivery in slices', () => {
  it('lets the event loop turn after 5 ms, and goes on when it has', async () => {
    partitions = [partitionOf(0, 10, 1000, 0.01)];
    await wake();
    const first = offsets.length;
    // Looks at the clock every 32 records: 500, and a few.
    expect(first).toBeGreaterThanOrEqual(500);
    expect(first).toBeLessThanOrEqual(540);
    clock.turn();
    await settled();
    expect(offsets.length).toBeGreaterThan(first + 450);
    while (offsets.length < 10_000) {
      const before = offsets.length;
      clock.turn();
      await settled();
      expect(offsets.length - before).toBeLessThanOrEqual(540);
      expect(offsets.length).toBeGreaterThan(before);
    }
    expect(offsets).toEqual(upTo(10_000).map((offset) => `0:${offset}`));
  });

  it('is not prolonged by whatever wakes it within its turn', async () => {
    partitions = [partitionOf(0, 1, 5000, 0.01)];
    await wake();
    const first = offsets.length;
    for (let i = 0; i < 20; i++) await wake();
    expect(offsets.length).toBe(first);
    clock.turn();
    await settled();
    expect(offsets.length).toBeGreaterThan(first);
  });

  it('goes on with the partition whose turn it was not yet', async () => {
    partitions = [partitionOf(0, 1, 600, 0.02), partitionOf(1, 1, 600, 0.02)];
    await wake();
    expect(new Set(offsets.map((each) => each[0]))).toEqual(new Set(['0']));
    clock.turn();
    await settled();
    expect(offsets.some((each) => each.startsWith('1:'))).toBe(true);
  });

  it('is all in one turn where it takes no time', async () => {
    partitions = [partitionOf(0, 3, 1000, 0), partitionOf(1, 3, 1000, 0)];
    await wake();
    expect(offsets).toHaveLength(6000);
  });

  it('ends with stop(), also what waits for the event loop', async () => {
    partitions = [partitionOf(0, 1, 5000, 0.01)];
    await wake();
    const first = offsets.length;
    deliverer.stop();
    clock.turn();
    await settled();
    expect(offsets.length).toBe(first);
  });
});

describe('an ack while delivery looks at another partition', () => {
  it('is heard also from who learns that nothing but markers came', async () => {
    const held: { ack(): void }[] = [];
    const full = partitionOf(0, 1, 5, 0, 1);
    full.outlet = { closed: false, next: (record) => held.push(record) };
    const other = partitionOf(1, 0, 0, 0);
    partitions = [full, other];
    const onDelivered = (partition: AssignedPartition) => {
      if (partition === other) held[0]!.ack();
    };
    deliverer = delivererWith({ ...quiet, onDelivered }, false);
    await wake();
    expect(held).toHaveLength(1);
    const marker = encodeControlBatch({
      kind: 'commit',
      producerId: 1,
      producerEpoch: 0,
      coordinatorEpoch: 0,
      timestamp: 0,
    });
    other.buffer.push(new FetchedChunk(marker, 0, undefined, budget.hold(1), {}));
    await wake();
    expect(held).toHaveLength(2);
  });
});

describe('many partitions', () => {
  it('cost nothing where only one of them has something to deliver', async () => {
    deliverer = delivererWith(quiet, false);
    const active = partitionOf(0, 1, 100, 0);
    const idle = upTo(500, 1).map((index) => partitionOf(index, 0, 0, 0));
    partitions = [active, ...idle];
    let looks = 0;
    for (const partition of idle) {
      const { outlet } = partition;
      Object.defineProperty(partition, 'outlet', { get: () => (looks++, outlet) });
    }
    deliverer.wake(active);
    await settled();
    expect(offsets).toHaveLength(100);
    expect(looks).toBe(0);
    deliverer.wake();
    await settled();
    expect(looks).toBeGreaterThan(0);
  });

  it('have their turns one after the other, each as many records as maxPollRecords', async () => {
    partitions = [partitionOf(0, 1, 1200, 0), partitionOf(1, 1, 1200, 0)];
    await wake();
    expect(offsets.slice(0, 500).every((each) => each.startsWith('0:'))).toBe(true);
    expect(offsets.slice(500, 1000).every((each) => each.startsWith('1:'))).toBe(true);
    expect(offsets.slice(1000, 1500).every((each) => each.startsWith('0:'))).toBe(true);
    expect(offsets).toHaveLength(2400);
  });
});
