import {
  concat,
  delay,
  filter,
  from,
  map,
  NEVER,
  Subject,
  take,
  throwError,
  type Observable,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import {
  ackEach,
  fanOut,
  filterEach,
  processEach,
  toTopic,
  type ConsumerRecord,
} from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text, Work } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

const texts = map((record: TestRecord) => text(record));
const same = (records: Observable<TestRecord>) => records;

describe('fanOut', () => {
  test(
    'a sink that has failed, and tells so later, has nothing acked that it did not write',
    kafkaMarbles(({ records, sink, expectAcks }) => {
      const orders = records('a--c----');
      const write = (branch: Observable<TestRecord>) =>
        branch.pipe(
          map((record) => record.derive({ topic: 'audit' })),
          toTopic(sink('#'), 'audit'),
        );
      orders
        .pipe(fanOut<Buffer | null, Buffer | null, unknown>(ackEach(), write))
        .subscribe({ error: () => undefined });
      expectAcks(orders).toBe('------');
    }),
  );

  behavesLikeAnOperator(() => fanOut(same, ackEach()), { enough: 3 });

  test('gives each record to all pipelines, and emits what comes out of them', () => {
    const seen = watch(
      from(new TestPartition().deliver('a', 'b')).pipe(
        fanOut(texts, (records) => records.pipe(map(({ offset }) => offset))),
      ),
    );
    expect(seen).toMatchObject({ values: ['a', 0, 'b', 1], isComplete: true });
  });

  test('a record is acked when all have acked it', async () => {
    const partition = new TestPartition();
    const [fast, slow] = [new Work(), new Work()];
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        fanOut(processEach(fast.start), processEach(slow.start)),
      ),
    );
    await fast.finish('a');
    await fast.finish('b');
    expect(fast.started).toEqual(['a', 'b']);
    expect(partition.committable).toBe(0);
    await slow.finish('a');
    expect(partition.committable).toBe(1);
    await slow.finish('b');
    expect(partition.committable).toBe(2);
    expect(seen).toMatchObject({ values: ['A', 'B', 'A', 'B'], isComplete: true });
  });

  test('each pipeline may derive from it, and filter it', () => {
    const partition = new TestPartition();
    const { values } = watch(
      from(partition.deliver('a')).pipe(
        fanOut(
          map((record: ConsumerRecord) => record.derive({ topic: 'x' })),
          map((record: ConsumerRecord) => record.derive({ topic: 'y' })),
          filterEach(() => false),
        ),
      ),
    );
    expect(partition.committable).toBe(0);
    for (const derived of values) originsOf(derived)[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('what one drops without an ack stays unacked', () => {
    const partition = new TestPartition();
    watch(
      from(partition.deliver('a')).pipe(
        fanOut(
          ackEach(),
          filter(() => false),
        ),
      ),
    );
    expect(partition.committable).toBe(0);
  });

  test('when one fails, it comes again after all are done with it', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('a')).pipe(fanOut(same, same)));
    values[0]!.nack('broken');
    expect(partition.nacked).toEqual([]);
    values[1]!.ack();
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'broken' }]);
  });

  test('one that has had enough is not asked any more', () => {
    const partition = new TestPartition();
    const seen = watch(
      concat(from(partition.deliver('a', 'b')), NEVER).pipe(fanOut(take(1), same)),
    );
    expect(seen.values.map(text)).toEqual(['a', 'a', 'b']);
    for (const record of seen.values) record.ack();
    expect(partition.committable).toBe(2);
  });

  test('when all have had enough, the source is unsubscribed, and work is finished', async () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const work = new Work();
    const seen = watch(
      source.pipe(fanOut((records) => records.pipe(take(1), processEach(work.start)))),
    );
    for (const record of partition.deliver('a', 'b')) source.next(record);
    expect(source.observed).toBe(false);
    expect(seen.isComplete).toBe(false);
    await work.finish('a');
    expect(seen).toMatchObject({ values: ['A'], isComplete: true });
    expect(partition.committable).toBe(1);
  });

  test('an error of one ends the stream and the others, and what was not started goes back', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const seen = watch(
      source.pipe(
        fanOut(
          processEach(() => NEVER),
          processEach((record) =>
            text(record) === 'b' ? throwError(() => new Error('no')) : undefined,
          ),
        ),
      ),
    );
    for (const record of partition.deliver('a', 'b')) source.next(record);
    expect(seen.error).toEqual(new Error('no'));
    expect(source.observed).toBe(false);
    expect(partition.inHand).toBe(0);
    expect(partition.committable).toBe(0);
  });

  test('a pipeline that throws when it is made ends the stream', () => {
    const seen = watch(
      from(new TestPartition().deliver('a')).pipe(
        fanOut(same, (): Observable<never> => {
          throw new Error('can’t');
        }),
      ),
    );
    expect(seen.error).toEqual(new Error('can’t'));
  });

  test('when a partition is given up, each gives back what it has not started', async () => {
    const partition = new TestPartition();
    const work = new Work();
    watch(
      concat(from(partition.deliver('a', 'b')), NEVER).pipe(
        fanOut(processEach(work.start), ackEach()),
      ),
    );
    partition.drain();
    expect(partition.returned).toEqual([1]);
    await work.finish('a');
    expect(partition.committable).toBe(1);
    expect(partition.inHand).toBe(0);
  });

  test('after the partition was lost, acks are late ones', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('a')).pipe(fanOut(same, same)));
    partition.lose();
    for (const record of values) record.ack();
    expect(partition.ackedLate).toBe(1);
    expect(partition.committable).toBe(0);
  });

  test('under ack: auto, it is acked when no pipeline took it over', () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    watch(from(partition.deliver('a')).pipe(fanOut(same, same)));
    expect(partition.committable).toBe(1);
    watch(
      from(partition.deliver('b')).pipe(
        fanOut(
          same,
          processEach(() => NEVER),
        ),
      ),
    );
    expect(partition.committable).toBe(1);
  });

  test('without pipelines it is over at once', () => {
    const seen = watch(NEVER.pipe(fanOut()));
    expect(seen.isComplete).toBe(true);
  });

  test(
    'a slow one keeps no other waiting',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('-ab|');
      const slow = (source: Observable<TestRecord>) => source.pipe(delay(3), ackEach());
      expectOutput(orders.pipe(fanOut(ackEach(), slow))).toBe('-ab-a(b|)');
      expectAcks(orders).toBe('                                ----ab');
    }),
  );

  test(
    'in a rebalance, work that was started in any of them is finished, and the next owner goes on',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-(abc)');
      lifecycle(orders, '      --R------A');
      const slow = processEach<TestRecord, TestRecord>((record) => cold('---x|', { x: record }));
      expectOutput(
        orders.pipe(
          fanOut(
            processEach(() => undefined),
            slow,
          ),
        ),
      ).toBe('----a-------b---c');
      expectAcks(orders).toBe('   -----a-------b---c');
      expectCommits(orders).toBe('-----a-------b---c');
    }),
  );

  test(
    'a commit that fails is made up for',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectCommits }) => {
      const orders = records('-a----b-');
      lifecycle(orders, '      F-------');
      expectOutput(orders.pipe(fanOut(ackEach(), ackEach()))).toBe('-(aa)-(bb)');
      expectCommits(orders).toBe('------b');
    }),
  );
});
