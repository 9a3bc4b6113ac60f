/**
 * Order and concurrency: many records at once, each key in order, and no key waits for a slow one.
 *
 *     npx tsx examples/operators/ordering.ts
 */
import {
  fromTopics,
  processEach,
  processPartitioned,
  type ConsumerRecord,
} from '../../src/index.js';
import { example, sleep } from '../guarantees/setting.js';

const inGroup = { autoOffsetReset: 'earliest', autoCommitIntervalMs: 50 } as const;

await example({ partitions: 2, records: 60 }, async ({ cluster, kafka, check, until }) => {
  const done: string[] = [];
  let atWork = 0;
  let most = 0;
  let finishSlow: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => (finishSlow = resolve));
  const work = async (order: ConsumerRecord) => {
    most = Math.max(most, ++atWork);
    if (order.offset === 0 && order.partition === 0) await slow;
    else await sleep(1);
    atWork--;
    done.push(`${String(order.key)} ${String(order.value).padStart(2, '0')}`);
  };
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'by-key' })
    .pipe(processEach(work, { concurrency: 8, order: 'key' }))
    .subscribe();

  // Every tenth record is of the key that is slow.
  await until(() => done.length === 54);
  check('all other keys were done while one was slow', !done.some((it) => it.includes('-0 ')));
  check('several were worked on at once', most > 1 && most <= 8);
  finishSlow();
  await until(() => done.length === 60);
  const ofOne = (key: number) => done.filter((it) => it.startsWith(`customer-${String(key)} `));
  const isInOrder = (list: string[]) => list.join() === [...list].sort().join();
  const keys = Array.from({ length: 10 }, (_, key) => key);
  check(
    'each key was worked on in order',
    keys.every((key) => isInOrder(ofOne(key))),
  );

  const attempts: number[] = [];
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'by-partition' })
    .pipe(
      processPartitioned((records) =>
        records.pipe(
          processEach(
            ({ offset, partition }, { attempt }) => {
              if (offset !== 3 || partition !== 0) return;
              attempts.push(attempt);
              if (attempt < 3) throw new Error('not yet');
            },
            { retry: { count: 5, backoffMs: 5 } },
          ),
        ),
      ),
    )
    .subscribe();
  const committed = () => cluster.groupOffsets('by-partition')['orders'];
  await until(() => committed()?.[0]?.offset === 30 && committed()?.[1]?.offset === 30);
  check('what failed was tried again in its place', attempts.join() === '1,2,3');
});
