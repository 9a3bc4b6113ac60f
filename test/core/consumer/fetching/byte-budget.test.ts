import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteBudget,
  type MemoryLease,
} from '../../../../src/core/consumer/fetching/byte-budget.js';

describe('a byte budget', () => {
  it('has free what is neither held nor set aside for fetches', () => {
    const budget = new ByteBudget(1000, () => undefined);
    budget.reserve(300);
    const lease = budget.hold(500);
    expect(budget.freeBytes).toBe(200);
    budget.unreserve(300);
    lease.release();
    expect(budget.freeBytes).toBe(1000);
    expect(budget.peakBytes).toBe(500);
  });

  it('is used up by what is held, however much fetches may bring', () => {
    const budget = new ByteBudget(1000, () => undefined);
    budget.reserve(1000);
    expect(budget.isUsedUp).toBe(false);
    budget.hold(1000);
    expect(budget.isUsedUp).toBe(true);
  });

  it('tells when bytes come back, and not while a holder is left', () => {
    let calls = 0;
    const budget = new ByteBudget(1000, () => calls++);
    const lease = budget.hold(10).retain();
    lease.release();
    expect([calls, budget.heldBytes]).toEqual([0, 10]);
    lease.release();
    expect([calls, budget.heldBytes]).toEqual([1, 0]);
  });

  it('holds what its leases hold, in any order of holding, sharing and letting go', () => {
    const steps = fc.array(
      fc.record({ what: fc.constantFrom('hold', 'retain', 'release'), n: fc.nat(500) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const budget = new ByteBudget(1000, () => undefined);
        const live: { lease: MemoryLease; bytes: number; holders: number }[] = [];
        for (const { what, n } of all) {
          const target = live[n % Math.max(1, live.length)];
          if (what === 'hold') live.push({ lease: budget.hold(n), bytes: n, holders: 1 });
          else if (target !== undefined && target.holders > 0) {
            if (what === 'retain') target.lease.retain();
            else target.lease.release();
            target.holders += what === 'retain' ? 1 : -1;
          }
          const held = live.reduce((sum, each) => sum + (each.holders > 0 ? each.bytes : 0), 0);
          expect(budget.heldBytes).toBe(held);
          expect(budget.peakBytes).toBeGreaterThanOrEqual(held);
        }
      }),
    );
  });
});
