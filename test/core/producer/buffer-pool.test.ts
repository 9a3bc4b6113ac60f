import { expect, test } from 'vitest';
import { BufferPool } from '../../../src/core/producer/buffer-pool.js';

const KIB = 1024;

test('memory that was given back is taken again, for any size that it is large enough for', () => {
  const pool = new BufferPool(() => 1024 * KIB);
  const first = pool.take(40 * KIB);
  expect(first).toHaveLength(64 * KIB);
  pool.give(first);
  expect(pool.keptBytes).toBe(64 * KIB);
  expect(pool.take(33 * KIB)).toBe(first);
  expect(pool.keptBytes).toBe(0);
  expect(pool.take(33 * KIB)).not.toBe(first);
});

test('memory of the next size up is taken before more is, and what is larger still is left', () => {
  const pool = new BufferPool(() => 1024 * KIB);
  const [twice, more] = [pool.take(64 * KIB), pool.take(128 * KIB)];
  for (const memory of [twice, more]) pool.give(memory);
  expect(pool.take(32 * KIB)).toBe(twice);
  expect(pool.keptBytes).toBe(128 * KIB);
  expect(pool.take(32 * KIB)).toHaveLength(32 * KIB);
});

test('memory is never shared by two', () => {
  const pool = new BufferPool(() => 1024 * KIB);
  const taken = [1, 2, 3].map(() => pool.take(KIB));
  for (const memory of taken) pool.give(memory);
  expect(new Set([1, 2, 3, 4].map(() => pool.take(KIB))).size).toBe(4);
});

test('no more is kept than allowed at the time', () => {
  let limit = 100 * KIB;
  const pool = new BufferPool(() => limit);
  const taken = [1, 2, 3, 4].map(() => pool.take(32 * KIB));
  for (const memory of taken) pool.give(memory);
  expect(pool.keptBytes).toBe(96 * KIB);
  limit = 0;
  pool.give(pool.take(32 * KIB));
  expect(pool.keptBytes).toBe(64 * KIB);
});

test('memory of another size that is in the way of a new one is let go', () => {
  const pool = new BufferPool(() => 100 * KIB);
  const small = [1, 2].map(() => pool.take(32 * KIB));
  for (const memory of small) pool.give(memory);
  expect(pool.take(64 * KIB)).toHaveLength(64 * KIB);
  expect(pool.keptBytes).toBe(0);
});
