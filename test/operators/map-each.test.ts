import { from, map, Subject, take } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import { mapEach, processEach, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

const shout = mapEach((record: TestRecord) => text(record).toUpperCase());

describe('mapEach', () => {
  behavesLikeAnOperator(() => shout);

  test('gives another value, and leaves the rest as it was', () => {
    const [record] = new TestPartition({ topic: 'orders', partition: 3 }).deliver('k=a');
    const [mapped] = watch(from([record!]).pipe(shout)).values;
    expect(mapped!.value).toBe('A');
    expect(mapped).toMatchObject({ topic: 'orders', partition: 3, offset: 0, attempt: 1 });
    expect(String(mapped!.key)).toBe('k');
    expect(String(mapped!.rawValue)).toBe('a');
    expect(record!.value!.toString()).toBe('a');
  });

  test('acking the mapped record acks the one it was made from, in whatever order', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('a', 'b', 'c')).pipe(shout));
    values[1]!.ack();
    expect(partition.committable).toBe(0);
    values[0]!.ack();
    values[0]!.ack();
    expect(partition.committable).toBe(2);
    expect(partition.unacked).toBe(1);
  });

  test('nacking it nacks the origin, which comes again and is mapped once', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const { values } = watch(source.pipe(mapEach((record) => `<${text(record)}>`)));
    for (const record of partition.deliver('a')) source.next(record);
    values[0]!.nack('busy');
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'busy' }]);
    for (const record of partition.redeliver()) source.next(record);
    expect(values[1]).toMatchObject({ value: '<a>', attempt: 2 });
  });

  test('over several steps: acks, results and attempts find their way back', () => {
    const partition = new TestPartition();
    const derived = watch(
      from(partition.deliver('a')).pipe(
        shout,
        mapEach((record) => record.value.length),
        map((record) => record.derive({ topic: 'lengths' })),
      ),
    ).values;
    expect(derived[0]).toMatchObject({ topic: 'lengths', value: 1 });
    expect(partition.committable).toBe(0);
    originsOf(derived[0])[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('processEach before it leaves the ack to whoever derives after it', () => {
    const partition = new TestPartition();
    watch(
      from(partition.deliver('a')).pipe(
        processEach((record) => [record]),
        mapEach((record: ConsumerRecord) => text(record)),
        map((record) => record.derive()),
      ),
    );
    expect(partition.committable).toBe(0);
    expect(partition.inHand).toBe(1);
  });

  test('under ack: auto, a record is taken over by what takes the mapped one over', () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    const records = partition.deliver('a', 'b');
    watch(from(records).pipe(shout, take(1)));
    expect(records.map(({ isTaken }) => isTaken)).toEqual([false, false]);
    watch(
      from(records.slice(1)).pipe(
        shout,
        processEach(() => new Subject<never>()),
      ),
    );
    expect(records.map(({ isTaken }) => isTaken)).toEqual([false, true]);
  });

  test('what the callback throws ends the stream, and the record goes back', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const seen = watch(
      source.pipe(
        mapEach((_, index) => {
          if (index === 1) throw new Error('can’t');
          return index;
        }),
      ),
    );
    for (const record of partition.deliver('a', 'b', 'c')) source.next(record);
    expect(seen.error).toEqual(new Error('can’t'));
    expect(source.observed).toBe(false);
    expect(partition.returned).toEqual([1]);
  });

  test('after its partition was lost, an ack of it is a late one', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('a')).pipe(shout));
    partition.lose();
    values[0]!.ack();
    expect(partition.ackedLate).toBe(1);
  });

  test(
    'holds nothing back',
    kafkaMarbles(({ records, expectOutput }) => {
      const values = records('-a-(b|)').pipe(
        shout,
        map(({ value }) => value),
      );
      expectOutput(values).toBe('-A-(B|)');
    }),
  );
});
