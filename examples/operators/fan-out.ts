/**
 * Fan-out: one record to several pipelines, or into several records; it is done when all of them are.
 *
 *     npx tsx examples/operators/fan-out.ts
 */
import { map } from 'rxjs';
import { fanOut, flatMapEach, fromTopics, processEach, toTopic } from '../../src/index.js';
import { example } from '../guarantees/setting.js';

const inGroup = { autoOffsetReset: 'earliest', autoCommitIntervalMs: 50 } as const;

await example({ partitions: 1, records: 10 }, async ({ cluster, kafka, check, until }) => {
  const committed = (group: string) => cluster.groupOffsets(group)['orders']?.[0]?.offset ?? 0;
  const endOf = (topic: string) =>
    cluster.inspect().topics[topic]?.partitions[0]?.logEndOffset ?? 0;
  const charged: number[] = [];
  let finishSlow: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => (finishSlow = resolve));
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'branches' })
    .pipe(
      fanOut(
        processEach(({ offset }) => void charged.push(offset)),
        processEach(({ offset }) => (offset === 4 ? slow : undefined)),
        (records) =>
          records.pipe(
            map((order) => order.derive({ topic: 'audit' })),
            toTopic(kafka, 'audit'),
          ),
      ),
    )
    .subscribe();
  await until(() => charged.length === 10 && endOf('audit') === 10 && committed('branches') === 4);
  check('fast pipelines are done with all, the slow one keeps commits at its record', true);
  finishSlow();
  await until(() => committed('branches') === 10);
  check('when the slow one is done, all is committed', committed('branches') === 10);

  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'parts' })
    .pipe(
      flatMapEach((order) =>
        order.offset === 0
          ? []
          : [order.derive({ topic: 'invoices' }), order.derive({ topic: 'parcels' })],
      ),
      toTopic(kafka, (part) => part.topic),
    )
    .subscribe();
  await until(() => committed('parts') === 10);
  check(
    'a record is committed when all that it was made into is written',
    endOf('invoices') === 9 && endOf('parcels') === 9,
  );
});
