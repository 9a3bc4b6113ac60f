import { Subject, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import { exhaustEach, type ExhaustEachOptions } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

/** Work that the test ends, on records that it pushes. */
function started(options: ExhaustEachOptions<Buffer | null, Buffer | null> = {}) {
  const partition = new TestPartition();
  const source = new Subject<TestRecord>();
  const work = new Map<string, Subject<unknown>>();
  const seen = watch(
    source.pipe(
      exhaustEach((record) => {
        const results = new Subject<unknown>();
        work.set(text(record), results);
        return results;
      }, options),
    ),
  );
  const push = (...values: string[]) => {
    for (const record of partition.deliver(...values)) source.next(record);
  };
  return { partition, push, seen, source, work };
}

describe('exhaustEach', () => {
  behavesLikeAnOperator(() => exhaustEach((record) => [record]));

  test(
    'what is skipped is acked when the one in work is',
    kafkaMarbles(({ records, cold, expectOutput, expectAcks }) => {
      const orders = records('-a-b-----c----');
      const work = (record: TestRecord) => cold('----(x|)', { x: record });
      expectOutput(orders.pipe(exhaustEach(work))).toBe('-----a-------c');
      expectAcks(orders).toBe('                          -----(ba)----c');
    }),
  );

  test('where the one in work fails, what was skipped comes again with it', () => {
    const { partition, push, seen, work } = started();
    push('a', 'b');
    work.get('a')!.error(new Error('no'));
    expect(seen.error).toEqual(new Error('no'));
    expect(partition.returned.sort()).toEqual([0, 1]);
  });

  test('it may be acked at once', () => {
    const { partition, push, work } = started({ skipped: 'ack' });
    push('a', 'b');
    expect(partition.unacked).toBe(1);
    work.get('a')!.complete();
    expect(partition.committable).toBe(2);
  });

  test('it may be delivered again', () => {
    const { partition, push, source, work } = started({ skipped: 'redeliver' });
    push('a', 'b');
    expect(partition.nacked.map(({ offset }) => offset)).toEqual([1]);
    work.get('a')!.complete();
    for (const record of partition.redeliver()) source.next(record);
    expect([...work.keys()]).toEqual(['a', 'b']);
  });

  test('a function may see to it', () => {
    const skipped: string[] = [];
    const { partition, push } = started({
      skipped: (record) => {
        skipped.push(text(record));
        record.ack();
      },
    });
    push('a', 'b', 'c');
    expect(skipped).toEqual(['b', 'c']);
    expect(partition.unacked).toBe(1);
  });

  test('per key, if asked', () => {
    const { partition, push, work } = started({ by: 'key' });
    push('x=a', 'y=b', 'x=c');
    expect([...work.keys()]).toEqual(['a', 'b']);
    work.get('b')!.complete();
    expect(partition.committable).toBe(0);
    work.get('a')!.complete();
    expect(partition.committable).toBe(3);
    push('x=d');
    expect([...work.keys()]).toEqual(['a', 'b', 'd']);
  });

  test('what is skipped after the one in work was acked by hand is acked, too', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const results = new Subject<never>();
    watch(
      source.pipe(
        exhaustEach((record) => {
          record.ack();
          return results;
        }),
      ),
    );
    for (const record of partition.deliver('a', 'b')) source.next(record);
    expect(partition.committable).toBe(2);
  });

  test('a derived result takes what was skipped along', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const gate = new Subject<unknown>();
    const seen = watch(
      source.pipe(
        exhaustEach((record) => {
          const derived = record.derive();
          gate.subscribe(() => undefined);
          return [derived];
        }),
      ),
    );
    for (const record of partition.deliver('a')) source.next(record);
    expect(partition.committable).toBe(0);
    originsOf(seen.values[0])[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('unsubscribing ends the work, and all goes back', () => {
    const { partition, push, seen, work } = started();
    push('a', 'b');
    seen.subscription.unsubscribe();
    expect(work.get('a')!.observed).toBe(false);
    expect(partition.returned.sort()).toEqual([0, 1]);
  });

  test('what the callbacks throw ends the stream, and the records go back', () => {
    const fail = () => {
      throw new Error('can’t');
    };
    for (const operator of [
      exhaustEach(fail),
      exhaustEach(() => throwError(() => new Error('can’t'))),
      exhaustEach(() => new Subject<never>(), { skipped: fail }),
    ]) {
      const partition = new TestPartition();
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(operator));
      for (const record of partition.deliver('a', 'b')) {
        if (source.observed) source.next(record);
        else record.giveBack();
      }
      expect(seen.error).toEqual(new Error('can’t'));
      expect(partition.inHand).toBe(0);
      expect(partition.committable).toBe(0);
    }
  });

  test(
    'in a rebalance, work under way is finished, and what was skipped is committed with it',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput, expectCommits }) => {
      const orders = records('-ab-----');
      lifecycle(orders, '     ---R----');
      expectOutput(orders.pipe(exhaustEach((record) => cold('----(x|)', { x: record })))).toBe(
        '-----a',
      );
      expectCommits(orders).toBe('-----b');
    }),
  );

  test('options are checked when the operator is made', () => {
    expect(() => exhaustEach(() => undefined, { skipped: 'drop' as 'ack' })).toThrow(
      "exhaustEach: option skipped is 'drop', but it must be one of 'with-current', 'ack', " +
        "'redeliver', a function",
    );
  });
});
