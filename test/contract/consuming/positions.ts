import { concatMap, filter, map, take, tap } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ackEach,
  fromOffsetRange,
  fromPartitions,
  KafkaError,
  processEach,
  toTopic,
  type LifecycleEvent,
  type PartitionStart,
  type StartAt,
} from '../../../src/index.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { collect, uniqueTopic, type ContractSetup } from '../setup.js';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Where reading begins, and what of it is remembered for a group. */
export function positionsContract(setup: ContractSetup): void {
  const { hasTimestamps, hasTopicRequests } = setup.capabilities;

  /** A topic whose partition 0 has the offsets 0 to 9, a second apart, each in a batch of its own. */
  async function tenRecords(name: string): Promise<{ topic: string; startedAt: number }> {
    const topic = uniqueTopic(name);
    await setup.cluster.createTopic(topic);
    const startedAt = Date.now() - 3_600_000;
    for (const i of numbers(10)) {
      await setup.cluster.write(topic, 0, [{ value: String(i), timestamp: startedAt + i * 1000 }]);
    }
    return { topic, startedAt };
  }

  describe('reading begins', () => {
    async function firstOffset(start: StartAt | undefined, topic: string, options = {}) {
      await using kafka = setup.connect();
      const partition: PartitionStart = { topic, partition: 0, ...(start && { start }) };
      const source = fromPartitions(kafka, [partition], options);
      const [first] = await collect(source.pipe(take(1)));
      return first!.offset;
    }

    test('at the beginning', async () => {
      const { topic } = await tenRecords('beginning');
      expect(await firstOffset('beginning', topic)).toBe(0);
    });

    test('at an offset', async () => {
      const { topic } = await tenRecords('offset');
      expect(await firstOffset({ offset: 7 }, topic)).toBe(7);
    });

    test('as autoOffsetReset says, where nothing else is known', async () => {
      const { topic } = await tenRecords('reset');
      expect(await firstOffset(undefined, topic, { autoOffsetReset: 'earliest' })).toBe(0);
    });

    test('at the end, so that only what is written later comes', async () => {
      const { topic } = await tenRecords('end');
      await using kafka = setup.connect();
      const consumer = kafka.consumer();
      const partition = { topic, partition: 0 };
      const next = collect(
        consumer.records({ partitions: [{ ...partition, start: 'end' }] }).pipe(take(1)),
      );
      await waitUntil(
        () => consumer.position(partition) === 10,
        10_000,
        () => `the position is ${consumer.position(partition)}`,
      );
      await setup.cluster.write(topic, 0, [{ value: 'later' }]);
      expect((await next).map(({ offset }) => offset)).toEqual([10]);
    });

    describe.runIf(hasTimestamps && hasTopicRequests)('by time', () => {
      test('at the first record of that time or later', async () => {
        const { topic, startedAt } = await tenRecords('time');
        expect(await firstOffset({ timestamp: startedAt + 3000 }, topic)).toBe(3);
        expect(await firstOffset({ timestamp: new Date(startedAt + 3001) }, topic)).toBe(4);
      });

      test('at the first record that is young enough', async () => {
        const { topic, startedAt } = await tenRecords('duration');
        const durationMs = Date.now() - (startedAt + 5500);
        expect(await firstOffset({ durationMs }, topic)).toBe(6);
      });

      test('offsets can be looked up by time', async () => {
        const { topic, startedAt } = await tenRecords('look-up');
        await using kafka = setup.connect();
        const consumer = kafka.consumer();
        const at = (ms: number) => ({ topic, partition: 0, timestamp: startedAt + ms });
        const [found] = await consumer.offsetsForTimes([at(2500)]);
        expect(found).toMatchObject({
          topic,
          partition: 0,
          offset: 3,
          timestamp: startedAt + 3000,
        });
        expect(await consumer.offsetsForTimes([at(3_000_000)])).toEqual([]);
      });
    });
  });

  test('the ends of a log can be looked up', async () => {
    const { topic } = await tenRecords('ends');
    await using kafka = setup.connect();
    const consumer = kafka.consumer();
    const partitions = [0, 1].map((partition) => ({ topic, partition }));
    expect(await consumer.beginningOffsets(partitions)).toEqual([
      { topic, partition: 0, offset: 0 },
      { topic, partition: 1, offset: 0 },
    ]);
    expect(await consumer.endOffsets(partitions)).toEqual([
      { topic, partition: 0, offset: 10 },
      { topic, partition: 1, offset: 0 },
    ]);
  });

  describe('out of range', () => {
    const beyond = (topic: string) => [{ topic, partition: 0, start: { offset: 500 } }];

    test('reading goes on where autoOffsetReset says, and an event tells of it', async () => {
      const { topic } = await tenRecords('range');
      await using kafka = setup.connect();
      const events: LifecycleEvent[] = [];
      kafka.lifecycle.subscribe((event) => events.push(event));
      const source = fromPartitions(kafka, beyond(topic), { autoOffsetReset: 'earliest' });
      const [first] = await collect(source.pipe(take(1)));
      expect(first!.offset).toBe(0);
      const resets = events.filter(({ type }) => type === 'position-reset');
      expect(resets.at(-1)).toMatchObject({
        topic,
        partition: 0,
        offset: 0,
        reason: 'out-of-range',
      });
    });

    test('is an error that names the offset, where autoOffsetReset is none', async () => {
      const { topic } = await tenRecords('range');
      await using kafka = setup.connect();
      const source = fromPartitions(kafka, beyond(topic), { autoOffsetReset: 'none' });
      const error: unknown = await collect(source).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(KafkaError);
      expect(error).toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
        context: { topic, partition: 0, offset: 500 },
      });
    });
  });

  test('seek goes on elsewhere, pause holds, resume goes on', async () => {
    const { topic } = await tenRecords('seek');
    await using kafka = setup.connect();
    const consumer = kafka.consumer();
    const partition = { topic, partition: 0 };
    const offsets: number[] = [];
    const isSought = { once: false };
    const records = consumer.records({ partitions: [{ ...partition, start: 'beginning' }] });
    await collect(
      records.pipe(
        tap(({ offset }) => {
          offsets.push(offset);
          if (offset === 4 && !isSought.once) {
            isSought.once = true;
            consumer.seek(partition, { offset: 2 });
          }
        }),
        filter(({ offset }) => offset === 9),
        take(1),
      ),
    );
    expect(offsets).toEqual([0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a window that is full of unacked records stops delivery, and acks let it go on', async () => {
    const topic = uniqueTopic('window');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(
      topic,
      0,
      numbers(100).map((i) => ({ value: String(i) })),
    );
    await using kafka = setup.connect();
    const options = { ack: 'manual', maxPollRecords: 5, maxUnackedRecords: 10 } as const;
    const consumer = kafka.consumer(options);
    const held: { ack(): void }[] = [];
    const offsets: number[] = [];
    let most = 0;
    const freeOne = () => held.shift()?.ack();
    await collect(
      consumer.records({ partitions: [{ topic, partition: 0, start: 'beginning' }] }).pipe(
        tap((record) => {
          offsets.push(record.offset);
          most = Math.max(most, held.push(record));
          // Once the window is full, each record that comes lets go of the oldest.
          if (held.length >= 10) setTimeout(freeOne);
        }),
        take(100),
      ),
    );
    for (const each of held) each.ack();
    expect(most).toBe(10);
    expect(offsets).toEqual(numbers(100));
  });

  describe('committed offsets', () => {
    const options = (groupId: string) => ({ groupId, autoOffsetReset: 'earliest' }) as const;

    test('what was acked in full is where the group goes on', async () => {
      const { topic } = await tenRecords('commit');
      const groupId = uniqueTopic('group');
      await using kafka = setup.connect();
      const partitions = [{ topic, partition: 0 }];
      const first = await collect(
        fromPartitions(kafka, partitions, options(groupId)).pipe(ackEach(), take(4)),
      );
      expect(first.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
      const consumer = kafka.consumer(options(groupId));
      await expect
        .poll(async () => (await consumer.committed(partitions))[0]?.offset, { timeout: 10_000 })
        .toBe(4);
      const [next] = await collect(consumer.records({ partitions }).pipe(ackEach(), take(1)));
      expect(next!.offset).toBe(4);
    });

    test('never pass a record that is not acked, whatever is acked behind it', async () => {
      const { topic } = await tenRecords('gap');
      const groupId = uniqueTopic('group');
      await using kafka = setup.connect();
      const partitions = [{ topic, partition: 0 }];
      const consumer = kafka.consumer({ ...options(groupId), drainTimeoutMs: 100 });
      await collect(
        consumer.records({ partitions }).pipe(
          tap((record) => {
            if (record.offset !== 3) record.ack();
          }),
          take(10),
        ),
      );
      await consumer.close();
      await using other = setup.connect();
      const committed = await other.consumer(options(groupId)).committed(partitions);
      expect(committed).toMatchObject([{ topic, partition: 0, offset: 3 }]);
    });

    test('can be committed by hand, with metadata', async () => {
      const { topic } = await tenRecords('by-hand');
      const groupId = uniqueTopic('group');
      await using kafka = setup.connect();
      const partitions = [{ topic, partition: 0 }];
      const consumer = kafka.consumer({ ...options(groupId), enableAutoCommit: false });
      const [record] = await collect(
        consumer.records({ partitions }).pipe(
          take(1),
          concatMap(async (each) => {
            await consumer.commit([{ topic, partition: 0, offset: 6, metadata: 'by hand' }]);
            each.ack();
            return each;
          }),
        ),
      );
      expect(record!.offset).toBe(0);
      const committed = await kafka.consumer(options(groupId)).committed(partitions);
      expect(committed).toMatchObject([{ topic, partition: 0, offset: 6, metadata: 'by hand' }]);
    });

    test('processEach acks when the work is done, a drain waits for it', async () => {
      const { topic } = await tenRecords('process');
      const groupId = uniqueTopic('group');
      await using kafka = setup.connect();
      const consumer = kafka.consumer(options(groupId));
      const partitions = [{ topic, partition: 0 }];
      const started: number[] = [];
      const finish: (() => void)[] = [];
      const work = consumer.records({ partitions }).pipe(
        processEach(
          ({ offset }) => {
            started.push(offset);
            return new Promise<number>((resolve) => finish.push(() => resolve(offset)));
          },
          { concurrency: 3, order: 'none' },
        ),
      );
      const done = collect(work);
      await waitUntil(
        () => started.length === 3,
        10_000,
        () => `${started.length} were started`,
      );
      const drained = consumer.drain();
      for (const each of finish.toReversed()) each();
      const report = await drained;
      expect((await done).toSorted()).toEqual([0, 1, 2]);
      expect(report.offsetsCommitted).toEqual([{ topic, partition: 0, offset: 3 }]);
      expect(report.recordsFinished).toBe(3);
    });

    test('a sink acks what its records were derived from', async () => {
      const { topic } = await tenRecords('derive');
      const sink = uniqueTopic('derived');
      await setup.cluster.createTopic(sink);
      const groupId = uniqueTopic('group');
      await using kafka = setup.connect();
      const partitions = [{ topic, partition: 0 }];
      const consumer = kafka.consumer(options(groupId));
      const receipts = await collect(
        consumer.records({ partitions }).pipe(
          map((record) => record.derive({ partition: 1, value: `${String(record.value)}!` })),
          toTopic(kafka, sink),
          take(10),
        ),
      );
      expect(receipts).toHaveLength(10);
      await consumer.close();
      const derived = await setup.cluster.readAll(sink);
      expect(derived.map(({ value }) => String(value))).toEqual(numbers(10).map((i) => `${i}!`));
      const committed = await kafka.consumer(options(groupId)).committed(partitions);
      expect(committed).toMatchObject([{ offset: 10 }]);
    });
  });

  test('a stretch that others have cut short ends with what is there', async () => {
    const { topic } = await tenRecords('cut');
    await using kafka = setup.connect();
    const range = { topic, partition: 0, from: { offset: 8 } };
    const records = await collect(fromOffsetRange(kafka, [range]));
    expect(records.map(({ offset }) => offset)).toEqual([8, 9]);
  });
}
