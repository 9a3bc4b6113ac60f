import {
  concat,
  finalize,
  from,
  map,
  mergeMap,
  NEVER,
  Subject,
  take,
  throwError,
  timer,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import { ackEach, processEach, tee, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text, Work } from '../support/operator-spec.js';
import { TestPartition } from '../support/records.js';
import { watch } from '../support/watching.js';

describe('tee', () => {
  behavesLikeAnOperator(() => tee(ackEach()));

  test('passes each record on, and drops what comes out on the side', () => {
    const partition = new TestPartition();
    const { values, isComplete } = watch(
      from(partition.deliver('a', 'b')).pipe(
        tee(map(() => 'aside')),
        map((record) => text(record)),
      ),
    );
    expect(values).toEqual(['a', 'b']);
    expect(isComplete).toBe(true);
  });

  test('a record is acked when both have acked it, in whatever order', async () => {
    const partition = new TestPartition();
    const [side, main] = [new Work(), new Work()];
    watch(
      from(partition.deliver('a', 'b')).pipe(
        tee(processEach(side.start, { concurrency: 2, order: 'none' })),
        processEach(main.start, { concurrency: 2, order: 'none' }),
      ),
    );
    await side.finish('a');
    expect(partition.committable).toBe(0);
    await main.finish('b', 'a');
    expect(partition.committable).toBe(1);
    await side.finish('b');
    expect(partition.committable).toBe(2);
  });

  test('both may derive from a record', () => {
    const partition = new TestPartition();
    const aside: object[] = [];
    const { values } = watch(
      from(partition.deliver('a')).pipe(
        tee(map((record: ConsumerRecord) => aside.push(record.derive({ topic: 'x' })))),
        map((record) => record.derive({ topic: 'y' })),
      ),
    );
    originsOf(values[0])[0]!.ack();
    expect(partition.committable).toBe(0);
    originsOf(aside[0])[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('a record that one of them nacks comes again to both', () => {
    const partition = new TestPartition();
    const seen = watch(from(partition.deliver('a')).pipe(tee(ackEach())));
    seen.values[0]!.nack('no');
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'no' }]);
    expect(partition.committable).toBe(0);
  });

  test('the error of the side ends the stream', () => {
    const partition = new TestPartition();
    const error = new Error('aside');
    const seen = watch(
      from(partition.deliver('a')).pipe(tee(mergeMap(() => throwError(() => error)))),
    );
    expect(seen.error).toBe(error);
  });

  test('unsubscribing what follows ends the side as well', () => {
    const partition = new TestPartition();
    let isEnded = false;
    watch(
      concat(partition.deliver('a', 'b'), NEVER).pipe(
        tee((records) => records.pipe(finalize(() => (isEnded = true)))),
        take(1),
      ),
    );
    expect(isEnded).toBe(true);
  });

  test(
    'a record is acked when the slower of the two is done with it, and the side keeps nobody waiting',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('ab---|');
      const slow = processEach(() => timer(4), { concurrency: 2, order: 'none' });
      expectOutput(orders.pipe(tee(slow), ackEach())).toBe('ab---|');
      expectAcks(orders).toBe('                             ----ab');
    }),
  );

  test(
    'in a rebalance, work on the side that was started is finished, and the next owner goes on',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectAcks, expectReturns }) => {
      const orders = records('(ab)--------', undefined, { drainTimeoutMs: 20 });
      lifecycle(orders, '     --R---A');
      const slow = processEach(() => timer(4));
      expectOutput(orders.pipe(tee(slow), ackEach())).toBe('(ab)--b');
      expectReturns(orders).toBe('                          --b');
      expectAcks(orders).toBe('                             ----a-----b');
    }),
  );

  test('the side that throws when it is made ends the stream, and nothing is subscribed to', () => {
    const source = new Subject<ConsumerRecord>();
    const seen = watch(
      source.pipe(
        tee(() => {
          throw new Error('no pipeline');
        }),
      ),
    );
    expect(seen.error).toEqual(new Error('no pipeline'));
    expect(source.observed).toBe(false);
  });
});
