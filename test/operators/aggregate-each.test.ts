import { from, map, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import { ackEach, aggregateEach, processEach } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

const sum = (total: number, record: TestRecord) => total + Number(text(record));
const zero = () => 0;

describe('aggregateEach', () => {
  behavesLikeAnOperator(() => aggregateEach(sum, zero, { maxRecords: 2 }));

  test('makes one value of many records, and acks them all', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('1', '2', '3', '4')).pipe(aggregateEach(sum, zero, { maxRecords: 3 })),
    );
    expect(seen.values.map(({ value, length }) => [value, length])).toEqual([
      [6, 3],
      [4, 1],
    ]);
    seen.values[0]!.ack();
    expect(partition.committable).toBe(3);
  });

  test('begins anew for each batch, and for each group', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('x=1', 'y=10', 'x=2', 'x=4')).pipe(
        aggregateEach(
          (list: string[], record: TestRecord) => {
            list.push(text(record));
            return list;
          },
          () => [],
          { by: 'key', maxRecords: 2 },
        ),
      ),
    );
    expect(seen.values.map(({ value }) => value)).toEqual([['1', '2'], ['10'], ['4']]);
  });

  test('what is derived from it acks all of them', () => {
    const partition = new TestPartition();
    const { values } = watch(
      from(partition.deliver('1', '2')).pipe(
        aggregateEach(sum, zero),
        map((total) => total.derive({ topic: 'sums', value: total.value })),
      ),
    );
    expect(values[0]).toMatchObject({ topic: 'sums', value: 3 });
    for (const origin of originsOf(values[0])) origin.ack();
    expect(partition.committable).toBe(2);
  });

  test('what the callbacks throw ends the stream, and all goes back', () => {
    const fail = () => {
      throw new Error('can’t');
    };
    const failOnB = (total: number, record: TestRecord) =>
      text(record) === '2' ? fail() : total + 1;
    const cases = [
      { operator: aggregateEach(failOnB, zero), returned: [1, 0] },
      { operator: aggregateEach(sum, fail), returned: [0] },
    ];
    for (const { operator, returned } of cases) {
      const partition = new TestPartition();
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(operator));
      for (const record of partition.deliver('1', '2')) source.next(record);
      expect(seen.error).toEqual(new Error('can’t'));
      expect(partition.returned).toEqual(returned);
      expect(source.observed).toBe(false);
    }
  });

  test('options are checked under its own name', () => {
    expect(() => aggregateEach(sum, zero, { maxRecords: 0 })).toThrow(
      'aggregateEach: option maxRecords is 0',
    );
  });

  test(
    'lets go of what it has when its partition is given up',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectCommits }) => {
      const orders = records('-ab-', { a: { value: '1' }, b: { value: '2' } });
      lifecycle(orders, '     ---R');
      const totals = orders.pipe(
        aggregateEach(sum, zero, { maxWaitMs: 100 }),
        ackEach(),
        map(({ value }) => value),
      );
      expectOutput(totals).toBe('---x', { x: 3 });
      expectCommits(orders).toBe('---(ab)');
    }),
  );

  test('can be processed as a record', () => {
    const partition = new TestPartition();
    const did: number[] = [];
    watch(
      from(partition.deliver('1', '2')).pipe(
        aggregateEach(sum, zero),
        processEach(({ value }) => void did.push(value)),
      ),
    );
    expect(did).toEqual([3]);
    expect(partition.committable).toBe(2);
  });
});
