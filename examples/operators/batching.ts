/**
 * Batching: work on many at once, without ever waiting for what can't come.
 *
 *     npx tsx examples/operators/batching.ts
 */
import { aggregateEach, batchEach, fromTopics, processEach } from '../../src/index.js';
import { example, sleep } from '../guarantees/setting.js';

const inGroup = { autoOffsetReset: 'earliest', autoCommitIntervalMs: 50 } as const;

await example({ partitions: 2, records: 100 }, async ({ cluster, kafka, check, until }) => {
  const committed = (group: string) => {
    const offsets = cluster.groupOffsets(group)['orders'];
    return (offsets?.[0]?.offset ?? 0) + (offsets?.[1]?.offset ?? 0);
  };
  const sizes: number[] = [];
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'batches', maxUnackedRecords: 20 })
    .pipe(
      // Larger than the windows of both partitions together.
      batchEach({ maxRecords: 1000, maxWaitMs: 60_000 }),
      processEach(async (batch) => {
        await sleep(1);
        sizes.push(batch.length);
      }),
    )
    .subscribe();
  await until(() => sizes.reduce((sum, size) => sum + size, 0) >= 80);
  check('batches are let go when the window is full', Math.max(...sizes) <= 40);
  await until(() => committed('batches') >= 80);
  check('a batch is acked when its work is done', true);

  const sums = new Map<string, number>();
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'sums' })
    .pipe(
      aggregateEach(
        (sum, order) => sum + Number(order.value),
        () => 0,
        { by: 'key', maxWaitMs: 20 },
      ),
      processEach((sum) => {
        const key = String(sum.rawKey);
        sums.set(key, (sums.get(key) ?? 0) + sum.value);
      }),
    )
    .subscribe();
  await until(() => committed('sums') === 100);
  check(
    'each key has its sum',
    sums.get('customer-3') === 3 + 13 + 23 + 33 + 43 + 53 + 63 + 73 + 83 + 93,
  );
});
