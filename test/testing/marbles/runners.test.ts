import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { delay, map } from 'rxjs';
import { marbles } from 'rxjs-marbles';
import { expect, test } from 'vitest';
import { ackEach } from '../../../src/index.js';
import { kafkaMarbles, kafkaMarblesOn } from '../../../src/testing/index.js';

test(
  'vitest takes what kafkaMarbles() returns for a test',
  kafkaMarbles(({ records, expectAcks }) => {
    const orders = records('-a-b');
    orders.pipe(delay(1), ackEach()).subscribe();
    expectAcks(orders).toBe('--a-b');
  }),
);

test(
  'rxjs-marbles gives its scheduler, and checks its own expectations beside ours',
  marbles((m) => {
    const { records, expectAcks } = kafkaMarblesOn(m.scheduler);
    const orders = records('-a-b|');
    const offsets = orders.pipe(
      delay(1),
      ackEach(),
      map(({ offset }) => String(offset)),
    );
    m.expect(offsets).toBeObservable('--0-(1|)');
    expectAcks(orders).toBe('--a-b');
  }),
);

test('so does node:test', () => {
  const file = resolve(import.meta.dirname, 'node-test-runner.ts');
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--test', file], {
    encoding: 'utf8',
  });
  expect(run.stdout + run.stderr).toMatch(/pass 2/);
  expect(run.stdout).toMatch(/fail 0/);
}, 60_000);
