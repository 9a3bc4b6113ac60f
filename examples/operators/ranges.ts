/**
 * Ranges: a part of a topic, up to what is there now or up to offsets, and the pace at which it comes.
 *
 *     npx tsx examples/operators/ranges.ts
 */
import { BehaviorSubject, lastValueFrom, toArray } from 'rxjs';
import {
  ackEach,
  pauseWhile,
  processEach,
  throttleBytes,
  untilCaughtUp,
  untilOffsets,
  withLag,
} from '../../src/index.js';
import { example, sleep } from '../guarantees/setting.js';

await example({ partitions: 2, records: 100 }, async ({ kafka, check, until }) => {
  const consumer = kafka.consumer({ groupId: 'ranges', autoOffsetReset: 'earliest' });
  const ends = [0, 1].map((partition) => ({ topic: 'orders', partition, offset: 10 }));
  const first = await lastValueFrom(
    consumer.records('orders').pipe(
      untilOffsets(consumer, ends),
      processEach(({ offset }) => [offset]),
      toArray(),
    ),
  );
  check('ten of each partition came, and no more', first.length === 20 && Math.max(...first) === 9);

  const rest = await lastValueFrom(
    consumer.records('orders').pipe(
      untilCaughtUp(consumer),
      withLag(),
      processEach(({ lag }) => [lag]),
      toArray(),
    ),
  );
  check(
    'then all that was left, to the end of both',
    rest.length === 80 && rest.filter((lag) => lag === 0).length === 2,
  );
  await consumer.close();

  const again = kafka.consumer({ autoOffsetReset: 'earliest', ack: 'manual' });
  const isPaused = new BehaviorSubject(false);
  const seen: number[] = [];
  again
    .records('orders')
    // Values have two digits, keys ten: fifteen records at once, then one each 6 ms.
    .pipe(pauseWhile(isPaused), throttleBytes(2000, { burstBytes: 180 }), ackEach())
    .subscribe(({ offset }) => seen.push(offset));
  await until(() => seen.length > 0);
  check('a burst passes at once, the rest later', seen.length < 50);
  await until(() => seen.length >= 50);
  isPaused.next(true);
  await sleep(20);
  isPaused.next(false);
  await until(() => seen.length === 100);
  check('in the end all of it has passed', seen.length === 100);
  await again.close();
});
