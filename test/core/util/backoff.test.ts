import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from '../../../src/core/util/backoff.js';

const lot = fc.double({ min: 0, max: 0.999999, noNaN: true });

test('stays within a fifth of the doubled time, and never goes beyond a fifth above the cap', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 1, max: 1000 }), lot, (failures, first, drawn) => {
      const max = first * 50;
      const plain = Math.min(max, first * 2 ** failures);
      const waited = backoffMs(failures, first, max, drawn);
      expect(waited).toBeGreaterThanOrEqual(plain * 0.8 - 1e-6);
      expect(waited).toBeLessThanOrEqual(plain * 1.2 + 1e-6);
    }),
  );
});

test('doubles from failure to failure', () => {
  expect([0, 1, 2, 3, 4, 5].map((failures) => backoffMs(failures, 100, 1000, 0.5))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
});
