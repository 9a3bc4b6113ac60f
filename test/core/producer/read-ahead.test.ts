import { expect, test } from 'vitest';
import { ReadAhead } from '../../../src/core/producer/read-ahead.js';

const MIB = 1024 * 1024;

/** A link that answers what was at hand after a round trip, and takes no more than its rate. */
function run(readAhead: ReadAhead, roundTripMs: number, bytesPerMs: number, roundTrips: number) {
  let now = 0;
  for (let i = 0; i < roundTrips; i++) {
    const sent = Math.min(readAhead.bytes, bytesPerMs * roundTripMs * 2);
    const tookMs = Math.max(roundTripMs, sent / bytesPerMs);
    now += tookMs;
    readAhead.answered(sent, tookMs, now);
  }
}

test('nothing known of the brokers, two MiB are read ahead', () => {
  expect(new ReadAhead().bytes).toBe(2 * MIB);
});

test('a broker that answers at once needs no more', () => {
  const readAhead = new ReadAhead();
  run(readAhead, 1, 200_000, 1000);
  expect(readAhead.bytes).toBe(2 * MIB);
});

test('a long way takes more, as much as fills it', () => {
  const readAhead = new ReadAhead();
  // 100 ms at 100 MB/s: 10 MB are on the way at any time.
  run(readAhead, 100, 100_000, 100);
  expect(readAhead.bytes).toBeGreaterThan(10 * MIB);
  expect(readAhead.bytes).toBeLessThan(50 * MIB);
});

test('what waits behind other requests is no longer way', () => {
  const readAhead = new ReadAhead();
  readAhead.answered(1000, 2, 2);
  for (let now = 100; now < 5000; now += 100) readAhead.answered(10 * MIB, 400, now);
  expect(readAhead.bytes).toBe(2 * MIB);
});

test('a way that has become longer is noticed after a while', () => {
  const readAhead = new ReadAhead();
  readAhead.answered(1000, 2, 2);
  for (let now = 100; now < 30_000; now += 100) readAhead.answered(10 * MIB, 200, now);
  expect(readAhead.bytes).toBeGreaterThan(20 * MIB);
});
