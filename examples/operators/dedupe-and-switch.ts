/**
 * Repeated and superseded records: they are passed over, and acked with the one that stands for them.
 *
 *     npx tsx examples/operators/dedupe-and-switch.ts
 */
import { tap } from 'rxjs';
import { dedupeEach, exhaustEach, fromTopics, processEach, switchEach } from '../../src/index.js';
import { example } from '../guarantees/setting.js';

const inGroup = { autoOffsetReset: 'earliest', autoCommitIntervalMs: 50 } as const;

await example({ partitions: 1, records: 30 }, async ({ cluster, kafka, check, until }) => {
  const committed = (group: string) => cluster.groupOffsets(group)['orders']?.[0]?.offset ?? 0;
  const seen: string[] = [];
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'once' })
    .pipe(
      dedupeEach(),
      processEach(({ key }) => void seen.push(String(key))),
    )
    .subscribe();
  await until(() => committed('once') === 30);
  check(
    'each of ten keys was seen once, and all is committed',
    new Set(seen).size === 10 && seen.length === 10,
  );

  const finished: number[] = [];
  let [begunOn, superseded] = [0, 0];
  let finishLatest: () => void = () => undefined;
  const allCame = new Promise<void>((resolve) => (finishLatest = resolve));
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'latest' })
    .pipe(
      switchEach(
        async ({ offset }, { signal }) => {
          signal.addEventListener('abort', () => superseded++);
          if (++begunOn === 30) finishLatest();
          await allCame;
          if (!signal.aborted) finished.push(offset);
        },
        { by: 'key' },
      ),
    )
    .subscribe();
  await until(() => committed('latest') === 30);
  check(
    'of each key only the latest was worked on to the end',
    finished.join() === '20,21,22,23,24,25,26,27,28,29',
  );
  check('work on the others was told to stop', superseded >= 20);

  const begun: number[] = [];
  let delivered = 0;
  let finishFirst: () => void = () => undefined;
  const lastCame = new Promise<void>((resolve) => (finishFirst = resolve));
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'first' })
    .pipe(
      tap(() => {
        if (++delivered === 30) finishFirst();
      }),
      exhaustEach(
        async ({ offset }) => {
          begun.push(offset);
          await lastCame;
        },
        { by: 'key' },
      ),
    )
    .subscribe();
  await until(() => committed('first') === 30);
  check(
    'of each key only the first was begun, and the others are committed with it',
    begun.join() === '0,1,2,3,4,5,6,7,8,9',
  );
});
