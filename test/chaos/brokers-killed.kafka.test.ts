import { expect, test } from 'vitest';
import { killBrokers } from './brokers-killed.js';

test('no acknowledged record is lost, doubled or out of order when leaders are killed', async () => {
  const seed = Number(process.env['RX_KAFKA_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
  const report = await killBrokers({
    seed,
    rounds: 2,
    signals: ['SIGKILL'],
    tell: (line) => console.log(`chaos: ${line}`),
  });
  console.log(`chaos: ${JSON.stringify(report)}`);
  expect(report.violations).toEqual([]);
  expect(report.failed).toBe(0);
  expect(report.acked).toBeGreaterThan(6000);
  expect(report.retried).toBeGreaterThan(0);
}, 180_000);
