import { getEventListeners } from 'node:events';
import { from, map, NEVER, Subject, timer, type Observable } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ackEach,
  dedupeEach,
  flatMapEach,
  pauseWhile,
  processEach,
  type ConsumerRecord,
  type DedupeEachOptions,
} from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text, Work } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

/** What comes through is left to the test to ack. */
function started(options: DedupeEachOptions<Buffer | null, Buffer | null> = {}) {
  const partition = new TestPartition();
  const source = new Subject<TestRecord>();
  const seen = watch(source.pipe(dedupeEach(options)));
  const push = (...values: string[]) => {
    for (const record of partition.deliver(...values)) source.next(record);
  };
  return { partition, push, seen, source, got: () => seen.values.map(text) };
}

describe('dedupeEach', () => {
  behavesLikeAnOperator(() => dedupeEach());

  test(
    'lets the first of an id through, and acks those that repeat it',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const definitions = { a: { key: 'x' }, b: { key: 'y' }, c: { key: 'x' }, d: { key: 'z' } };
      const orders = records('-a-b-c-d|', definitions);
      expectOutput(orders.pipe(dedupeEach(), ackEach())).toBe('-a-b---d|');
      expectAcks(orders).toBe('                                -a-b-c-d');
    }),
  );

  test('an id is remembered when its record is acked: what repeats it before waits for it', () => {
    const { partition, push, seen } = started();
    push('x=a', 'x=b');
    expect(partition.unacked).toBe(2);
    seen.values[0]!.ack();
    expect(partition.committable).toBe(2);
    push('x=c');
    expect(partition.committable).toBe(3);
    expect(seen.values).toHaveLength(1);
  });

  test('a record that failed is no duplicate when it comes again, and takes the others along', () => {
    const { partition, push, seen, source, got } = started();
    push('x=a', 'x=b');
    seen.values[0]!.nack('busy');
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'busy' }]);
    // It would come before the record that it repeats.
    expect(partition.returned).toEqual([]);
    for (const record of partition.redeliver()) source.next(record);
    expect(got()).toEqual(['a', 'a']);
    expect(seen.values[1]!.attempt).toBe(2);
    seen.values[1]!.ack();
    expect(partition.committable).toBe(2);
  });

  test('ids may be what a function returns, bytes as well', () => {
    const { push, got } = started({ by: ({ value }) => value?.subarray(0, 1) });
    push('a1', 'b1', 'a2');
    expect(got()).toEqual(['a1', 'b1']);
  });

  test('a record without an id is never a duplicate', () => {
    const { push, got } = started();
    push('a', 'a');
    expect(got()).toEqual(['a', 'a']);
  });

  test('as many ids as wanted are remembered: the latest', () => {
    const { push, seen, got } = started({ maxIds: 2 });
    for (const value of ['x=1', 'y=2', 'x=3', 'z=4', 'x=5']) {
      push(value);
      seen.values.at(-1)!.ack();
    }
    expect(got()).toEqual(['1', '2', '4', '5']);
  });

  test('one whose partition was lost is not waited for', () => {
    const { partition, push, got, seen } = started();
    push('x=a');
    partition.lose();
    partition.begin(0);
    push('x=a');
    expect(got()).toEqual(['a', 'a']);
    seen.values[1]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('what waits for one whose partition is sought elsewhere is not forgotten', async () => {
    const pipeline = testPipeline();
    const [sought, other] = [0, 1].map((partition) => new TestPartition({ partition, pipeline }));
    const source = new Subject<TestRecord>();
    const work = new Work();
    watch(
      source.pipe(
        dedupeEach({ by: text }),
        processEach(work.start, { concurrency: 2, order: 'partition' }),
      ),
    );
    const records = [...sought!.deliver('before', 'a'), ...other!.deliver('a')];
    for (const record of records) source.next(record);
    sought!.begin(1);
    expect(other!.returned).toEqual([0]);
    for (const record of [...sought!.deliver('a'), ...other!.redeliver()]) source.next(record);
    await work.finish('before');
    await work.finish('a');
    expect([sought!.committable, other!.committable]).toEqual([2, 1]);
  });

  test(
    'what waits for one whose partition is lost in the middle of work goes on by itself',
    kafkaMarbles(({ records, lifecycle, snapshot, flush }) => {
      const definitions = { a: { key: 'l' }, b: { key: 'k' }, c: { key: 'k', partition: 1 } };
      const orders = records('a(bc)-', definitions, { drainTimeoutMs: 1 });
      lifecycle(orders, '---x', { x: { type: 'lose', partitions: [0] } });
      const results = (record: ConsumerRecord) => timer(2).pipe(map(() => record.value));
      const work = processEach(() => timer(1));
      orders.pipe(dedupeEach(), flatMapEach(results), work).subscribe();
      flush();
      expect(snapshot(orders).committed[1]).toBe(1);
    }),
  );

  test('lanes behind it are kept in order when a record is nacked', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const did: string[] = [];
    watch(
      source.pipe(
        dedupeEach(),
        processEach((record) => {
          did.push(`${text(record)}${record.attempt}`);
          if (record.offset === 0 && record.attempt === 1) record.nack('busy');
        }),
      ),
    );
    for (const record of partition.deliver('x=a', 'y=b')) source.next(record);
    for (const record of partition.redeliver()) source.next(record);
    expect(did).toEqual(['a1', 'a2', 'b1']);
    expect(partition.committable).toBe(2);
  });

  test('under ack: auto, an id is remembered when its record’s delivery returns', () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    const seen = watch(from(partition.deliver('x=a', 'x=b')).pipe(dedupeEach()));
    expect(seen.values).toHaveLength(1);
    expect(partition.committable).toBe(2);
    watch(
      from(partition.deliver('z=c')).pipe(
        dedupeEach(),
        processEach(() => NEVER),
      ),
    );
    expect(partition.committable).toBe(2);
  });

  test(
    'in a rebalance, what waits for a record in work is committed with it',
    kafkaMarbles(({ records, lifecycle, cold, expectCommits, expectOutput }) => {
      const definitions = { a: { key: 'x' }, b: { key: 'x' } };
      const orders = records('-ab----', definitions);
      lifecycle(orders, '     ---R---');
      expectOutput(
        orders.pipe(
          dedupeEach(),
          processEach(() => cold('----|')),
        ),
      ).toBe('');
      expectCommits(orders).toBe('-----b');
    }),
  );

  test(
    'what repeats a record that was nacked waits until that has come again, whatever its lane',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectDeliveries }) => {
      const definitions = { a: { key: 'x' }, b: { key: 'x' }, c: { key: 'x' } };
      const orders = records('-(ab)c', definitions, { nackBackoffMs: 10 });
      const processed = orders.pipe(
        dedupeEach(),
        processEach((record: TestRecord) => {
          if (record.attempt > 1) return [text(record)];
          record.nack('not yet');
          return undefined;
        }),
      );
      expectOutput(processed).toBe('   11ms a');
      expectDeliveries(orders).toBe('-(ab)c 5ms a');
      expectAcks(orders).toBe('      11ms (bca)');
    }),
  );

  test(
    'what waits for a nacked record goes back when either of them is being given up, or all ends',
    kafkaMarbles((t) => {
      const definitions = { a: { key: 'x' }, b: { key: 'x', partition: 1 } };
      const nacking = () => (source: Observable<TestRecord>) =>
        source.pipe(
          dedupeEach(),
          processEach((record: TestRecord) => record.nack('never')),
        );
      for (const partitions of [[0], [1]]) {
        const orders = t.records('-(ab)', definitions, { nackBackoffMs: 10 });
        t.lifecycle(orders, '-----R', { R: { type: 'revoke', partitions } });
        t.expectOutput(orders.pipe(nacking()), '^------!').toBe('');
        t.expectReturns(orders).toBe('-----b');
        t.expectLifecycle(orders, 'revoked').toBe('-----R');
      }
      const orders = t.records('-(ab)', definitions, { nackBackoffMs: 10 });
      t.expectOutput(orders.pipe(nacking()), '^----!').toBe('');
      t.expectReturns(orders).toBe('-----b');
    }),
  );

  test(
    'what waits for a nacked record goes on when that went back before it came here again',
    kafkaMarbles((t) => {
      const orders = t.records(
        '(ab)',
        { a: { key: 'x' }, b: { key: 'x', partition: 1 } },
        { nackBackoffMs: 3 },
      );
      t.lifecycle(orders, '----R', { R: { type: 'revoke', partitions: [0] } });
      const processed = orders.pipe(
        pauseWhile(t.cold('-p------f', { p: true, f: false })),
        dedupeEach(),
        processEach((record: TestRecord) => {
          if (text(record) === 'b') return;
          record.nack('not yet');
        }),
      );
      t.expectOutput(processed).toBe('');
      t.expectReturns(orders).toBe('----(ab)');
      t.expectAcks(orders).toBe('--------b');
    }),
  );

  test('a partition is listened to only while a nacked record of it is awaited', () => {
    const { partition, push, seen, source } = started();
    push('x=a');
    const listeners = () => getEventListeners(seen.values[0]!.signal, 'abort').length;
    seen.values[0]!.nack('not yet');
    expect(listeners()).toBe(1);
    for (const record of partition.redeliver()) source.next(record);
    expect(listeners()).toBe(0);
    seen.values[1]!.nack('not yet');
    expect(listeners()).toBe(1);
    seen.subscription.unsubscribe();
    expect(listeners()).toBe(0);
  });

  test('after unsubscribing, what is in work still takes its duplicates along', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const source = new Subject<TestRecord>();
    const seen = watch(source.pipe(dedupeEach(), processEach(work.start)));
    for (const record of partition.deliver('x=a', 'x=b')) source.next(record);
    seen.subscription.unsubscribe();
    await work.finish('a');
    expect(partition.committable).toBe(2);
  });

  test('what by throws ends the stream, and the record goes back', () => {
    const { partition, push, seen, source } = started({
      by: () => {
        throw new Error('can’t');
      },
    });
    push('a');
    expect(seen.error).toEqual(new Error('can’t'));
    expect(source.observed).toBe(false);
    expect(partition.returned).toEqual([0]);
  });

  test('options are checked when the operator is made', () => {
    expect(() => dedupeEach({ maxIds: 0 })).toThrow('dedupeEach: option maxIds is 0');
    expect(() => dedupeEach({ by: 'value' as 'key' })).toThrow(
      "dedupeEach: option by is 'value', but it must be 'key' or a function",
    );
  });
});
