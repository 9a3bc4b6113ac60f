/**
 * Gap-safe: an offset is committed only when it and all before it are done, in whatever order that
 * happens.
 *
 *     npx tsx examples/guarantees/gap-safe.ts
 */
import { fromTopics, processEach } from '../../src/index.js';
import { example } from './setting.js';

await example({ partitions: 1, records: 10 }, async ({ cluster, kafka, check, until }) => {
  const committed = () => cluster.groupOffsets('billing')['orders']?.[0]?.offset ?? 0;
  const done: number[] = [];
  let finishFirst: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (finishFirst = resolve));
  fromTopics(kafka, 'orders', {
    groupId: 'billing',
    autoOffsetReset: 'earliest',
    autoCommitIntervalMs: 50,
  })
    .pipe(
      processEach(
        async ({ offset }) => {
          if (offset === 3) await first;
          done.push(offset);
        },
        { concurrency: 10, order: 'none' },
      ),
    )
    .subscribe();

  await until(() => done.length === 9 && committed() > 0);
  check('nine of ten are done, offset 3 is not', !done.includes(3));
  check('what is committed stops before it', committed() === 3);
  finishFirst();
  await until(() => committed() === 10);
  check('once it is done, all ten are committed', committed() === 10);
});
