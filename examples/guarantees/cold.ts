/**
 * Cold: nothing connects until something subscribes; unsubscribing gives everything back.
 *
 *     npx tsx examples/guarantees/cold.ts
 */
import { lastValueFrom, take } from 'rxjs';
import { ackEach, fromTopics } from '../../src/index.js';
import { connectionsTo, example } from './setting.js';

await example({ partitions: 1, records: 20 }, async ({ cluster, kafka, check, until }) => {
  const members = () => cluster.inspect().groups['billing']?.members.length ?? 0;
  const ten = fromTopics(kafka, 'orders', {
    groupId: 'billing',
    autoOffsetReset: 'earliest',
  }).pipe(ackEach(), take(10));
  check('no connection before a subscription', connectionsTo(cluster) === 0);

  const last = await lastValueFrom(ten);
  check('ten records, from offset 0 to 9', last.offset === 9);
  await until(() => members() === 0);
  check('the member has left its group', members() === 0);
  const [partition] = Object.values(cluster.groupOffsets('billing')['orders'] ?? {});
  check('what was done is committed: offset 10 is next', partition?.offset === 10);

  const next = await lastValueFrom(ten);
  check('another subscription is another member, and goes on there', next.offset === 19);
  await kafka.close();
  await until(() => connectionsTo(cluster) === 0);
  check('no connection is left', connectionsTo(cluster) === 0);
});
