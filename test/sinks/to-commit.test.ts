import { from, map, mergeMap, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { batchEach, toCommit, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { watch } from '../support/watching.js';

describe('toCommit', () => {
  behavesLikeAnOperator(() => toCommit(), { enough: 0 });

  test(
    'acks what reaches it, emits nothing, and completes with its source',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b--|');
      expectOutput(orders.pipe(toCommit())).toBe('------|');
      expectAcks(orders).toBe('                   -a-b');
      expectCommits(orders).toBe('                -a-b');
    }),
  );

  test(
    'has the group commit in order, in whatever order records reach it',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('(ab)---|');
      const delayed = (record: ConsumerRecord) =>
        timer(record.offset === 0 ? 5 : 2).pipe(map(() => record));
      const backwards = orders.pipe(
        mergeMap((record) => delayed(record)),
        toCommit(),
      );
      expectOutput(backwards).toBe('-------|');
      expectAcks(orders).toBe('     --b--a');
      expectCommits(orders).toBe('  -----b');
    }),
  );

  test(
    'acks batches as one',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('-a-b-c-|');
      expectOutput(orders.pipe(batchEach({ maxRecords: 2, maxWaitMs: 5 }), toCommit())).toBe(
        '-------|',
      );
      expectAcks(orders).toBe('---(ab)c');
    }),
  );

  test(
    'makes up for a commit that fails',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectLifecycle }) => {
      const orders = records('-a-b-|');
      lifecycle(orders, '     F');
      expectOutput(orders.pipe(toCommit())).toBe('-----|');
      expectLifecycle(orders, 'committed', 'commit-failed').toBe('-F-C');
    }),
  );

  test('a record whose acking throws ends the stream', () => {
    const broken = {
      ack() {
        throw new Error('no');
      },
    };
    expect(watch(from([broken]).pipe(toCommit())).error).toEqual(new Error('no'));
  });
});
