/**
 * Explained: what stalls, drops, retries or resets is an event with its place and its reason.
 *
 *     npx tsx examples/guarantees/explained.ts
 */
import { filter } from 'rxjs';
import { ackEach, fromTopics, type LifecycleEvent } from '../../src/index.js';
import { example } from './setting.js';

await example({ partitions: 1, records: 100 }, async ({ cluster, kafka, check, until }) => {
  const events: LifecycleEvent[] = [];
  kafka.lifecycle.subscribe((event) => events.push(event));
  const told = <T extends LifecycleEvent['type']>(type: T) =>
    events.find((event): event is Extract<LifecycleEvent, { type: T }> => event.type === type);

  cluster.failNext('Fetch', 'NOT_LEADER_OR_FOLLOWER');
  fromTopics(kafka, 'orders', {
    groupId: 'billing',
    autoOffsetReset: 'earliest',
    maxUnackedRecords: 20,
    stallTimeoutMs: 500,
  })
    // The mistake: what filter() drops is never acked. filterEach() would ack it.
    .pipe(
      filter(({ offset }) => offset !== 7),
      ackEach(),
    )
    .subscribe();

  await until(() => told('stalled') !== undefined);
  const reset = told('position-reset');
  check('where it began, and why', reset?.offset === 0 && reset.reason === 'no-committed-offset');
  check('which fetch failed', told('fetch-failed')?.topic === 'orders');
  const stalled = told('stalled');
  check('which record it stands still for', stalled?.offset === 7);
  console.log(`     ${stalled?.hint ?? ''}`);
});
