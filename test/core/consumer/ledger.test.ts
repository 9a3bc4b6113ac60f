import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../src/core/consumer/ledger.js';

const LAST_SEQUENCE = 2 ** 30 - 1;

describe('a ledger', () => {
  it('commits the oldest unacked record, whatever newer ones are acked', () => {
    const ledger = new Ledger(10, 100);
    const [first, second, third] = [100, 101, 102].map((offset) => ledger.deliver(offset, 7, 0));
    ledger.ack(third!);
    ledger.ack(second!);
    expect(ledger.commitPosition.offset).toBe(100);
    ledger.ack(first!);
    expect(ledger.commitPosition).toEqual({ offset: 103, leaderEpoch: 7 });
  });

  it('commits past markers and gaps only when nothing before them is unacked', () => {
    const ledger = new Ledger(10, 0);
    const record = ledger.deliver(3, 1, 0);
    ledger.pass(20, 2);
    expect(ledger.commitPosition.offset).toBe(3);
    ledger.ack(record);
    expect(ledger.commitPosition).toEqual({ offset: 20, leaderEpoch: 2 });
  });

  it('tells the epoch of the last acked record before the position, not of the one at it', () => {
    const ledger = new Ledger(10, 0, 4);
    expect(ledger.commitPosition.leaderEpoch).toBe(4);
    const first = ledger.deliver(0, 5, 0);
    ledger.deliver(1, 6, 0);
    ledger.ack(first);
    expect(ledger.commitPosition).toEqual({ offset: 1, leaderEpoch: 5 });
  });

  it('counts its window from the oldest unacked to the newest delivered, acked or not', () => {
    const ledger = new Ledger(3, 0);
    ledger.deliver(0, 0, 0);
    for (const offset of [1, 2]) ledger.ack(ledger.deliver(offset, 0, 0));
    expect(ledger.unacked).toBe(1);
    expect(ledger.free).toBe(0);
  });

  it('takes a second ack, and one of a number it never gave, as nothing', () => {
    const ledger = new Ledger(4, 0);
    const sequence = ledger.deliver(0, 0, 0);
    expect(ledger.ack(sequence)).toBe(true);
    expect(ledger.ack(sequence)).toBe(false);
    expect(ledger.ack(sequence + 1)).toBe(false);
    expect(ledger.ack(LAST_SEQUENCE)).toBe(false);
    expect(ledger.ackedCount).toBe(1);
  });

  it('counts acks after the fence and lets them change nothing', () => {
    const ledger = new Ledger(4, 0);
    const sequence = ledger.deliver(0, 0, 0);
    ledger.fence();
    expect(ledger.ack(sequence)).toBe(false);
    expect(ledger.nack(sequence)).toBe(false);
    expect(ledger.staleAcks).toBe(1);
    expect(ledger.commitPosition.offset).toBe(0);
  });

  it('says of the oldest unacked record whether somebody has it', () => {
    const ledger = new Ledger(4, 0);
    const sequence = ledger.deliver(5, 0, 10);
    expect(ledger.oldestUnacked).toEqual({ offset: 5, deliveredAt: 10, isInHand: true });
    ledger.nack(sequence);
    expect(ledger.oldestUnacked?.isInHand).toBe(false);
    expect(ledger.inHand).toBe(0);
    ledger.redeliver(sequence, 20);
    expect(ledger.oldestUnacked).toEqual({ offset: 5, deliveredAt: 20, isInHand: true });
  });

  it('passes nothing backwards', () => {
    const ledger = new Ledger(4, 10);
    ledger.pass(5, 0);
    expect(ledger.position).toBe(10);
  });
});

describe('a ledger with much to keep track of', () => {
  const MANY = 500_000;

  it('takes acks in any order behind a missing one at the same small cost: not even half a million add up', () => {
    const ledger = new Ledger(MANY, 0);
    const sequences = Array.from({ length: MANY }, (_, i) => ledger.deliver(i * 1000, 0, 0));
    // Backwards, so that a list of what was acked would be searched from its far end each time.
    for (let i = MANY - 1; i > 0; i--) ledger.ack(sequences[i]!);
    expect(ledger.commitPosition.offset).toBe(0);
    expect(ledger.unacked).toBe(1);
    ledger.ack(sequences[0]!);
    expect(ledger.commitPosition.offset).toBe((MANY - 1) * 1000 + 1);
    expect(ledger.free).toBe(MANY);
  });

  it('takes gaps of millions of offsets as they come, for it counts deliveries', () => {
    const ledger = new Ledger(4, 0);
    for (let i = 1; i <= 1000; i++) ledger.ack(ledger.deliver(i * 5_000_000, 0, 0));
    expect(ledger.commitPosition.offset).toBe(5_000_000_001);
  });
});

type Step =
  | { readonly what: 'deliver'; readonly gap: number; readonly epoch: number }
  | { readonly what: 'ack' | 'nack' | 'redeliver'; readonly pick: number }
  | { readonly what: 'pass'; readonly gap: number; readonly epoch: number }
  | { readonly what: 'fence' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('deliver' as const),
      gap: fc.nat(3),
      epoch: fc.nat(5),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constantFrom('ack' as const, 'nack' as const, 'redeliver' as const),
      pick: fc.nat(30),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('pass' as const), gap: fc.nat(5), epoch: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.constant({ what: 'fence' as const }) },
);

interface Delivered {
  readonly sequence: number;
  readonly offset: number;
  state: 'out' | 'acked' | 'nacked';
}

/** The same in the plainest way: a list of everything that was ever delivered. */
class Model {
  readonly all: Delivered[] = [];
  position: number;
  isFenced = false;

  constructor(
    readonly window: number,
    start: number,
  ) {
    this.position = start;
  }

  get unacked(): Delivered[] {
    return this.all.filter(({ state }) => state !== 'acked');
  }

  get span(): number {
    const oldest = this.all.findIndex(({ state }) => state !== 'acked');
    return oldest < 0 ? 0 : this.all.length - oldest;
  }

  get committed(): number {
    return this.unacked[0]?.offset ?? this.position;
  }
}

function play(ledger: Ledger, model: Model, steps: readonly Step[]): void {
  for (const each of steps) {
    switch (each.what) {
      case 'deliver': {
        if (ledger.free <= 0 || model.isFenced) break;
        const offset = model.position + each.gap;
        const sequence = ledger.deliver(offset, each.epoch, 0);
        model.all.push({ sequence, offset, state: 'out' });
        model.position = offset + 1;
        break;
      }
      case 'pass': {
        const offset = model.position + each.gap;
        ledger.pass(offset, each.epoch);
        model.position = offset;
        break;
      }
      case 'fence':
        ledger.fence();
        model.isFenced = true;
        break;
      default:
        settle(ledger, model, each);
    }
    check(ledger, model);
  }
}

function settle(
  ledger: Ledger,
  model: Model,
  { what, pick }: { what: 'ack' | 'nack' | 'redeliver'; pick: number },
): void {
  const target = model.all[model.all.length - 1 - (pick % Math.max(1, model.all.length))];
  if (target === undefined) return;
  const { sequence, state } = target;
  const isLive = !model.isFenced && state !== 'acked';
  if (what === 'ack') {
    expect(ledger.ack(sequence)).toBe(isLive);
    if (isLive) target.state = 'acked';
  } else if (what === 'nack') {
    expect(ledger.nack(sequence)).toBe(isLive && state === 'out');
    if (isLive) target.state = 'nacked';
  } else {
    expect(ledger.redeliver(sequence, 0)).toBe(isLive && state === 'nacked');
    if (isLive) target.state = 'out';
  }
}

function check(ledger: Ledger, model: Model): void {
  const { unacked } = model;
  expect(ledger.position).toBe(model.position);
  expect(ledger.unacked).toBe(unacked.length);
  expect(ledger.awaitingRedelivery).toBe(unacked.filter(({ state }) => state === 'nacked').length);
  expect(ledger.inHand).toBe(unacked.filter(({ state }) => state === 'out').length);
  expect(ledger.free).toBe(model.window - model.span);
  expect(ledger.free).toBeGreaterThanOrEqual(0);
  expect(ledger.commitPosition.offset).toBe(model.committed);
  for (const { offset } of unacked) {
    expect(ledger.commitPosition.offset).toBeLessThanOrEqual(offset);
  }
  expect(ledger.oldestUnacked?.offset).toBe(unacked[0]?.offset);
}

describe('any interleaving of deliver, ack, nack, redeliver, pass and fence', () => {
  const runs = fc.record({
    window: fc.integer({ min: 1, max: 9 }),
    start: fc.nat(50),
    // So that numbers wrap around in some of the runs.
    firstSequence: fc.constantFrom(0, LAST_SEQUENCE, LAST_SEQUENCE - 3, LAST_SEQUENCE - 20),
    steps: fc.array(step, { maxLength: 120 }),
  });

  it('gives what a plain list of all deliveries gives', () => {
    fc.assert(
      fc.property(runs, ({ window, start, firstSequence, steps }) => {
        play(new Ledger(window, start, -1, firstSequence), new Model(window, start), steps);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a ledger and a transaction', () => {
  const filled = (count: number) => {
    const ledger = new Ledger(10, 0, 3);
    const sequences = Array.from({ length: count }, (_, i) => ledger.deliver(i * 2, 4 + i, 0));
    return { ledger, sequences };
  };

  it('lets a record join only when all before it are acked, or part of it', () => {
    const { ledger, sequences } = filled(4);
    expect(ledger.join(2)).toBe(false);
    ledger.ack(sequences[0]!);
    expect([ledger.join(2), ledger.join(6), ledger.join(4)]).toEqual([true, false, true]);
    expect(ledger.join(6)).toBe(true);
    expect(ledger.join(6)).toBe(false);
  });

  it('stores the next record that is not part of it, or the position when all are', () => {
    const { ledger } = filled(3);
    expect(ledger.joinedPosition).toEqual({ offset: 0, leaderEpoch: 3 });
    ledger.join(0);
    expect(ledger.joinedPosition).toEqual({ offset: 2, leaderEpoch: 4 });
    ledger.join(2);
    ledger.join(4);
    expect(ledger.joinedPosition).toEqual({ offset: 5, leaderEpoch: 6 });
    ledger.pass(9, 7);
    expect(ledger.joinedPosition).toEqual({ offset: 9, leaderEpoch: 7 });
  });

  it('commits nothing for it: what joined is not acked', () => {
    const { ledger, sequences } = filled(2);
    ledger.join(0);
    ledger.join(2);
    expect(ledger.commitPosition.offset).toBe(0);
    expect(ledger.free).toBe(8);
    for (const sequence of sequences) ledger.ack(sequence);
    expect([ledger.commitPosition.offset, ledger.free]).toEqual([3, 10]);
    ledger.deliver(4, 0, 0);
    expect(ledger.join(4)).toBe(true);
  });

  it('lets records join another one after the first was aborted', () => {
    const { ledger, sequences } = filled(3);
    ledger.join(0);
    ledger.join(2);
    ledger.leaveTransaction();
    expect(ledger.joinedPosition.offset).toBe(0);
    expect(ledger.join(2)).toBe(false);
    expect(ledger.join(0)).toBe(true);
    expect(ledger.ack(sequences[0]!)).toBe(true);
    expect(ledger.join(2)).toBe(true);
  });

  it('lets nothing join that was given back, nor anything after its epoch', () => {
    const { ledger, sequences } = filled(2);
    ledger.nack(sequences[0]!);
    expect(ledger.join(0)).toBe(false);
    ledger.redeliver(sequences[0]!, 0);
    expect(ledger.join(0)).toBe(true);
    ledger.fence();
    expect(ledger.join(2)).toBe(false);
  });

  it('knows what somebody else has settled while it was part of it', () => {
    for (const settle of ['ack', 'nack'] as const) {
      const { ledger, sequences } = filled(3);
      ledger.join(0);
      ledger.join(2);
      ledger[settle](sequences[2]!);
      expect(ledger.takenFromTransaction).toBeUndefined();
      ledger[settle](sequences[1]!);
      expect(ledger.takenFromTransaction).toBe(2);
    }
  });

  it('is not taken from by what settles its records: its own commit, or its end', () => {
    const { ledger, sequences } = filled(3);
    ledger.join(0);
    ledger.join(2);
    ledger.beginCommit();
    ledger.ack(sequences[0]!);
    ledger.leaveTransaction();
    ledger.endCommit();
    ledger.nack(sequences[1]!);
    expect(ledger.takenFromTransaction).toBeUndefined();
  });

  it('tells what can’t join it any more from what can’t join it yet', () => {
    const { ledger, sequences } = filled(4);
    const passed = () => [0, 2, 4, 6].map((offset) => ledger.isPassed(offset));
    ledger.ack(sequences[2]!);
    expect(passed()).toEqual([false, false, false, false]);
    ledger.ack(sequences[0]!);
    expect(passed()).toEqual([true, false, false, false]);
    ledger.join(2);
    expect(passed()).toEqual([true, true, true, false]);
    ledger.nack(sequences[3]!);
    expect(passed()).toEqual([true, true, true, true]);
    ledger.fence();
    expect(passed()).toEqual([false, false, false, false]);
  });

  it('has those wait who need to know how a commit under way ends, and nobody else', () => {
    const { ledger } = filled(2);
    const told: string[] = [];
    expect(ledger.awaitCommit(() => told.push('too early'))).toBe(false);
    ledger.beginCommit();
    expect(ledger.awaitCommit(() => told.push('first'))).toBe(true);
    expect(ledger.awaitCommit(() => told.push('second'))).toBe(true);
    expect(told).toEqual([]);
    ledger.endCommit();
    ledger.endCommit();
    expect(told).toEqual(['first', 'second']);
    expect(ledger.awaitCommit(() => told.push('too late'))).toBe(false);
  });

  it('finds its way when numbers wrap around', () => {
    const ledger = new Ledger(4, 0, -1, LAST_SEQUENCE - 1);
    for (let offset = 0; offset < 40; offset++) {
      const sequence = ledger.deliver(offset, 0, 0);
      expect(ledger.join(offset)).toBe(true);
      expect(ledger.joinedPosition.offset).toBe(offset + 1);
      if (offset % 3 === 0) {
        ledger.leaveTransaction();
        expect(ledger.join(offset)).toBe(true);
      }
      ledger.ack(sequence);
    }
  });
});
