/**
 * Failures: work is tried again while its key waits, or later from a retry topic while others go on, and
 * what fails for good becomes a dead letter; nothing is committed before it is safe.
 *
 *     npx tsx examples/operators/failures.ts
 */
import {
  deadLetter,
  fromTopics,
  retryEach,
  retryTopics,
  tee,
  toCommit,
  toTopics,
} from '../../src/index.js';
import { map } from 'rxjs';
import { example } from '../guarantees/setting.js';

const inGroup = { autoOffsetReset: 'earliest', autoCommitIntervalMs: 50 } as const;

await example({ partitions: 1, records: 10 }, async ({ cluster, kafka, check, until }) => {
  const committed = (group: string) => cluster.groupOffsets(group)['orders']?.[0]?.offset ?? 0;
  const tries = new Map<number, number>();
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'failing' })
    .pipe(
      retryEach(
        ({ offset }) => {
          const tried = (tries.get(offset) ?? 0) + 1;
          tries.set(offset, tried);
          if (offset === 3 && tried < 3) throw new Error('busy');
          if (offset === 5) throw new Error('no such customer');
        },
        { count: 4, backoffMs: 10, onError: deadLetter(kafka, { topic: 'orders.dead' }) },
      ),
    )
    .subscribe();
  await until(() => committed('failing') === 10);
  check('what fails for a while is done in the end', tries.get(3) === 3);
  const letters = cluster.records('orders.dead');
  check('what fails for good is tried five times', tries.get(5) === 5);
  check('and becomes a letter, once', letters.length === 1);
  const headers = new Map(letters[0]!.headers.map(([name, value]) => [name, String(value)]));
  check('that says where it came from', headers.get('dead-letter.offset') === '5');
  check('and why it failed', headers.get('dead-letter.error') === 'no such customer');

  const retries = [
    { topic: 'orders.retry.soon', delayMs: 50 },
    { topic: 'orders.retry.later', delayMs: 200 },
  ];
  const attempts: number[] = [];
  const done: number[] = [];
  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'waiting' })
    .pipe(
      retryTopics(
        kafka,
        retries,
        {
          consumer: { groupId: 'waiting.retries', autoCommitIntervalMs: 50 },
          onError: deadLetter(kafka, { topic: 'orders.given-up' }),
        },
        ({ topic, offset }, { attempt }) => {
          if (topic === 'orders' && offset !== 5) done.push(offset);
          else attempts.push(attempt);
          if (topic !== 'orders' || offset === 5) throw new Error('no such customer');
        },
      ),
    )
    .subscribe();
  await until(() => cluster.inspect().topics['orders.given-up'] !== undefined);
  check('what fails waits elsewhere, and the others are done', done.length === 9);
  check('it is tried again from each retry topic', attempts.join() === '1,2,3');
  check('and is committed as soon as it waits there', committed('waiting') === 10);

  fromTopics(kafka, 'orders', { ...inGroup, groupId: 'routing' })
    .pipe(
      tee((records) =>
        records.pipe(
          map((order) => order.derive()),
          toTopics(
            kafka,
            ({ value }) => (String(value).endsWith('7') ? (['audit', 'sevens'] as const) : 'audit'),
            { audit: {}, sevens: {} },
          ),
        ),
      ),
      toCommit(),
    )
    .subscribe();
  await until(() => committed('routing') === 10);
  check('all that is committed was written on the side', cluster.records('audit').length === 10);
});
