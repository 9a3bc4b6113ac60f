import { concatMap, filter, from, map, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { TestPartition } from '../support/records.js';

describe('ackEach', () => {
  behavesLikeAnOperator(() => ackEach());

  test('acks what reaches it and lets it through, in order', () => {
    const partition = new TestPartition();
    const committable: number[] = [];
    from(partition.deliver('a', 'b', 'c'))
      .pipe(ackEach())
      .subscribe(() => committable.push(partition.committable));
    expect(committable).toEqual([1, 2, 3]);
  });

  test('commits stop before a record that was dropped on the way', () => {
    const partition = new TestPartition();
    from(partition.deliver('a', 'b', 'c'))
      .pipe(
        filter(({ offset }) => offset !== 1),
        ackEach(),
      )
      .subscribe();
    expect(partition.committable).toBe(1);
  });

  test('a record whose acking throws ends the stream', () => {
    let told: unknown;
    const broken = {
      ack() {
        throw new Error('no');
      },
    };
    from([broken])
      .pipe(ackEach())
      .subscribe({ error: (error: unknown) => (told = error) });
    expect(told).toEqual(new Error('no'));
  });

  test(
    'work before it is done before the ack',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b|');
      const saved = orders.pipe(
        concatMap((record) => timer(3).pipe(map(() => record))),
        ackEach(),
      );
      expectOutput(saved).toBe('    ----a--(b|)');
      expectAcks(orders).toBe('   ----a--b');
      expectCommits(orders).toBe('----a--b');
    }),
  );

  test(
    'records that are delivered once more are acked once more',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectAcks }) => {
      const orders = records('-a-b-c', undefined, { drainTimeoutMs: 1 });
      lifecycle(orders, '     ----L-A');
      const saved = orders.pipe(
        concatMap((record) => timer(3).pipe(map(() => record))),
        ackEach(),
      );
      expectOutput(saved).toBe('----a--b--a--b--c');
      expectAcks(orders).toBe('----------a--b--c');
    }),
  );
});
