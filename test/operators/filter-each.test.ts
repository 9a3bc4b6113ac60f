import { from, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { filterEach } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { TestPartition, type TestRecord } from '../support/records.js';

const isEven = (record: TestRecord) => record.offset % 2 === 0;

describe('filterEach', () => {
  behavesLikeAnOperator(() => filterEach(isEven));

  test('lets through what is wanted, unacked, and acks the rest', () => {
    const partition = new TestPartition();
    const through: TestRecord[] = [];
    from(partition.deliver('a', 'b', 'c', 'd'))
      .pipe(filterEach(isEven))
      .subscribe((record) => through.push(record));
    expect(through.map(({ offset }) => offset)).toEqual([0, 2]);
    expect(partition.unacked).toBe(2);
    for (const record of through) record.ack();
    expect(partition.committable).toBe(4);
  });

  test('counts what it is asked about, for each subscriber from 0', () => {
    const asked: number[][] = [];
    const records = from(new TestPartition().deliver('a', 'b'));
    const filtered = records.pipe(
      filterEach((_, index) => {
        asked.at(-1)!.push(index);
        return true;
      }),
    );
    for (let i = 0; i < 2; i++) {
      asked.push([]);
      filtered.subscribe();
    }
    expect(asked).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  test('a predicate that throws ends the stream; the record goes back', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    let told: unknown;
    source
      .pipe(
        filterEach(() => {
          throw new Error('can’t tell');
        }),
      )
      .subscribe({ error: (error: unknown) => (told = error) });
    for (const record of partition.deliver('a', 'b')) source.next(record);
    expect(told).toEqual(new Error('can’t tell'));
    expect(source.observed).toBe(false);
    expect(partition.returned).toEqual([0]);
    expect(partition.committable).toBe(0);
  });

  test(
    'holds nothing back, and acks what it drops when it comes',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('-a-b-c-|');
      expectOutput(orders.pipe(filterEach(isEven))).toBe('-a---c-|');
      expectAcks(orders).toBe('                           ---b');
    }),
  );

  test('what it drops after the partition was lost changes nothing', () => {
    const partition = new TestPartition();
    const records = partition.deliver('a', 'b');
    partition.lose();
    from(records)
      .pipe(filterEach(() => false))
      .subscribe();
    expect(partition.ackedLate).toBe(2);
    expect(partition.committable).toBe(0);
  });
});
