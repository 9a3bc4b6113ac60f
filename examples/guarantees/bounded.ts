/**
 * Bounded: a slow pipeline makes fewer fetches, never a longer queue.
 *
 *     npx tsx examples/guarantees/bounded.ts
 */
import { fromTopics, processEach } from '../../src/index.js';
import { example, sleep } from './setting.js';

const WINDOW = 50;

await example({ partitions: 2, records: 20_000 }, async ({ kafka, check, until }) => {
  const consumer = kafka.consumer({
    groupId: 'billing',
    autoOffsetReset: 'earliest',
    maxUnackedRecords: WINDOW,
    maxBufferedBytes: 64 * 1024,
  });
  const unacked = () =>
    consumer.assignment.reduce((sum, { partition }) => sum + (delivered[partition] ?? 0), 0) - done;
  const delivered: Record<number, number> = {};
  let done = 0;
  let most = 0;
  fromTopics(consumer, 'orders')
    .pipe(
      processEach(
        async () => {
          await sleep(2);
          done++;
        },
        { concurrency: 20, order: 'none' },
      ),
    )
    .subscribe();
  const looking = setInterval(() => {
    for (const { partition } of consumer.assignment) {
      delivered[partition] = consumer.position({ topic: 'orders', partition }) ?? 0;
    }
    most = Math.max(most, unacked());
  }, 1);
  await until(() => done >= 2000);
  clearInterval(looking);
  check(`never more than ${2 * WINDOW} records in hand, here at most ${most}`, most <= 2 * WINDOW);
  check('though it was never idle', most >= WINDOW);
  await consumer.close();
});
