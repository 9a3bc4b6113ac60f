import { expect, test } from 'vitest';
import { copyWhileKilling } from './copying.js';

test('every record is copied once and in order while brokers and copiers are killed', async () => {
  const seed = Number(process.env['RX_KAFKA_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
  const report = await copyWhileKilling({
    seed,
    records: 6000,
    rounds: 3,
    groupProtocol: seed % 2 === 0 ? 'classic' : 'consumer',
    copiers: 2,
    identity: 'one-producer',
    tell: (line) => console.log(`copying: ${line}`),
  });
  console.log(`copying: ${JSON.stringify(report)}`);
  expect(report.complaints).toEqual([]);
  expect(report.brokersDown).toBeGreaterThan(0);
  expect(report.copiersDown).toBeGreaterThan(0);
}, 180_000);
