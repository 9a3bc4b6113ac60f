/**
 * Fenced: partitions change hands in the middle of the work. What was begun is finished and
 * committed, the next owner starts exactly there, and nothing is done twice.
 *
 *     npx tsx examples/guarantees/fenced.ts
 */
import { fromTopics, ofType, processEach } from '../../src/index.js';
import { example, sleep } from './setting.js';

const RECORDS = 400;

await example({ partitions: 4, records: RECORDS }, async ({ kafka, check, until }) => {
  const done: string[] = [];
  const abandoned: number[] = [];
  kafka.lifecycle
    .pipe(ofType('revoked', 'lost'))
    .subscribe(({ recordsAbandoned }) => abandoned.push(recordsAbandoned));
  const member = () =>
    fromTopics(kafka, 'orders', {
      groupId: 'billing',
      autoOffsetReset: 'earliest',
      groupProtocol: 'classic',
      heartbeatIntervalMs: 50,
    }).pipe(
      processEach(
        async (order) => {
          await sleep(10);
          done.push(String(order.value));
        },
        { concurrency: 4, order: 'key' },
      ),
    );

  const first = member().subscribe();
  await until(() => done.length > 40);
  member().subscribe();
  await until(() => abandoned.length > 0);
  check('the first member has handed partitions over', done.length < RECORDS);
  first.unsubscribe();
  await until(() => new Set(done).size === RECORDS);
  check(`all ${RECORDS} records are done`, new Set(done).size === RECORDS);
  check('none of them twice', done.length === RECORDS);
  check(
    'none was abandoned',
    abandoned.every((count) => count === 0),
  );
  const report = await kafka.drain({ timeoutMs: 5000 });
  check('drain() leaves nothing behind', report.recordsAbandoned === 0);
});
