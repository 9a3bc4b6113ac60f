import { concatMap, delay, map, of, take, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, json, processEach, string, type ConsumerRecord } from '../../../src/index.js';
import { kafkaMarbles } from '../../../src/testing/index.js';

const text = (record: ConsumerRecord) => String(record.value);

describe('records()', () => {
  test(
    'gives records when they are drawn, and completes',
    kafkaMarbles(({ records, expectOutput, expectDeliveries }) => {
      const orders = records('-a-(bc)-a|');
      expectOutput(orders).toBe('-a-(bc)-a|');
      expectDeliveries(orders).toBe('-a-(bc)-a');
    }),
  );

  test(
    'gives them what their definitions say',
    kafkaMarbles(({ records, flush }) => {
      const orders = records('--a-b|', {
        a: { key: 'k', value: 'v', partition: 3, headers: { h: 'x' } },
        b: { value: null, timestamp: 5, topic: 'others' },
      });
      const seen: object[] = [];
      orders.subscribe((record) => seen.push(record.toJSON()));
      flush();
      expect(seen).toEqual([
        {
          topic: 'orders',
          partition: 3,
          offset: 0,
          timestamp: 2,
          key: Buffer.from('k'),
          value: Buffer.from('v'),
          headers: [['h', Buffer.from('x')]],
        },
        {
          topic: 'others',
          partition: 0,
          offset: 0,
          timestamp: 5,
          key: null,
          value: null,
          headers: [],
        },
      ]);
    }),
  );

  test(
    'writes and reads them with serdes',
    kafkaMarbles(({ records, expectOutput }) => {
      const orders = records(
        'a|',
        { a: { key: 'ann', value: { total: 5 } } },
        { keySerde: string(), valueSerde: json<{ total: number }>() },
      );
      const totals = orders.pipe(map(({ key, value }) => `${key} ${value.total}`));
      expectOutput(totals).toBe('x|', { x: 'ann 5' });
    }),
  );

  test(
    'acks, gaps and commits are those of a ledger',
    kafkaMarbles(({ records, cold, expectAcks, expectCommits, expectOutput, snapshot, flush }) => {
      const orders = records('-abc|');
      const work: Record<string, string> = { a: '-----|', b: '--|', c: '---------|' };
      const project = (record: ConsumerRecord) => cold(work[text(record)]!);
      const processed = orders.pipe(processEach(project, { concurrency: 3, order: 'none' }));
      expectOutput(processed).toBe('------------|');
      expectAcks(orders).toBe('     ----b-a-----c');
      expectCommits(orders).toBe('  ------b-----c');
      flush();
      expect(snapshot(orders)).toEqual({ inHand: [], committed: { 0: 3 } });
    }),
  );

  test(
    'nothing is delivered beyond the window',
    kafkaMarbles(({ records, expectDeliveries, expectOutput }) => {
      const orders = records('(abcd|)', undefined, { maxUnackedRecords: 2 });
      const slow = orders.pipe(
        concatMap((record) => of(record).pipe(delay(5))),
        ackEach(),
      );
      expectOutput(slow).toBe('      -----a----b----c----(d|)');
      expectDeliveries(orders).toBe('(ab)-c----d');
    }),
  );

  test(
    'a nacked record comes again after its backoff, and is committed once it is acked',
    kafkaMarbles(({ records, expectNacks, expectDeliveries, expectCommits, expectOutput }) => {
      const orders = records('-a-b|', undefined, { nackBackoffMs: 10 });
      const attempts = orders.pipe(
        map((record) => {
          if (text(record) === 'a' && record.attempt === 1) record.nack('not now');
          else record.ack();
          return `${text(record)}${record.attempt}`;
        }),
      );
      expectOutput(attempts).toBe('-x-y 7ms (z|)', { x: 'a1', y: 'b1', z: 'a2' });
      expectNacks(orders).toBe('  -a');
      expectDeliveries(orders).toBe('-a-b 7ms a');
      expectCommits(orders).toBe('11ms b');
    }),
  );

  test(
    'a later subscription goes on where the group has committed',
    kafkaMarbles(({ records, expectOutput, expectDeliveries }) => {
      const orders = records('-a-b-c-----d|');
      expectOutput(orders.pipe(take(2), ackEach())).toBe('-a-(b|)');
      expectOutput(orders.pipe(ackEach()), '-------^').toBe('-------c---d|');
      expectDeliveries(orders).toBe('                     -a-b---c---d');
    }),
  );

  test(
    'what was taken is worked on to the end, and committed',
    kafkaMarbles(({ records, expectOutput, expectCommits, expectLifecycle }) => {
      const orders = records('-abc---');
      expectOutput(
        orders.pipe(
          take(2),
          processEach(() => timer(10)),
        ),
      ).toBe('11ms x 9ms (x|)', { x: 0 });
      expectCommits(orders).toBe('11ms a 9ms b');
      expectLifecycle(orders, 'drained').toBe('21ms E');
    }),
  );
});
