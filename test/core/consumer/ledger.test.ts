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
