import { map, take } from 'rxjs';
import { expect, test } from 'vitest';
import { fromOffsetRange, fromPartitions, type ConsumerRecord } from '../../../src/index.js';
import { collect, uniqueTopic, type ContractSetup } from '../setup.js';

const valueOf = ({ value }: ConsumerRecord) => String(value);
const committed = { isolationLevel: 'read_committed' } as const;

/** What readers see of transactions. Needs Kafka 0.11. */
export function transactionsContract(setup: ContractSetup): void {
  const values = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ value: `${name}${i}` }));

  /** Committed, aborted, plain and committed records of one partition, with markers between. */
  async function mixed(): Promise<string> {
    const topic = uniqueTopic('transactions');
    const { cluster } = setup;
    await cluster.createTopic(topic);
    await cluster.writeTransaction(topic, 0, values('a', 3), 'commit');
    await cluster.writeTransaction(topic, 0, values('b', 3), 'abort');
    await cluster.write(topic, 0, values('c', 2));
    await cluster.writeTransaction(topic, 0, values('d', 2), 'abort');
    await cluster.writeTransaction(topic, 0, values('e', 2), 'commit');
    return topic;
  }

  test('read_committed leaves out what was aborted, and every marker', async () => {
    const topic = await mixed();
    await using kafka = setup.connect();
    const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }], committed));
    expect(records.map(valueOf)).toEqual(['a0', 'a1', 'a2', 'c0', 'c1', 'e0', 'e1']);
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 8, 9, 13, 14]);
  });

  test('read_uncommitted shows what was aborted, but no marker', async () => {
    const topic = await mixed();
    await using kafka = setup.connect();
    const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }]));
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 13, 14]);
  });

  test('aborted records are left out from wherever reading begins', async () => {
    const topic = await mixed();
    await using kafka = setup.connect();
    for (const offset of [0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 15]) {
      const range = { topic, partition: 0, from: { offset } };
      const records = await collect(fromOffsetRange(kafka, [range], committed));
      const expected = [0, 1, 2, 8, 9, 13, 14].filter((visible) => visible >= offset);
      expect(records.map((record) => record.offset)).toEqual(expected);
    }
  });

  test('a topic of nothing but aborted records is an empty stretch', async () => {
    const topic = uniqueTopic('aborted');
    await setup.cluster.createTopic(topic);
    await setup.cluster.writeTransaction(topic, 0, values('a', 5), 'abort');
    await using kafka = setup.connect();
    const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }], committed));
    expect(records).toEqual([]);
  });

  test('read_committed ends before the first open transaction; its end is the last stable offset', async () => {
    const topic = uniqueTopic('open');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(topic, 0, values('a', 2));
    await setup.cluster.writeTransaction(topic, 0, values('b', 2), 'open');
    await setup.cluster.write(topic, 0, values('c', 2));
    await using kafka = setup.connect();
    const range = [{ topic, partition: 0 }];
    const stable = await collect(fromOffsetRange(kafka, range, committed));
    expect(stable.map(valueOf)).toEqual(['a0', 'a1']);
    const all = await collect(fromOffsetRange(kafka, range));
    expect(all.map(valueOf)).toEqual(['a0', 'a1', 'b0', 'b1', 'c0', 'c1']);
    const ends = async (options: object) => {
      const [end] = await kafka.consumer(options).endOffsets(range);
      return end!.offset;
    };
    expect([await ends(committed), await ends({})]).toEqual([2, 6]);
  });

  test('small fetches see the same', async () => {
    const topic = await mixed();
    await using kafka = setup.connect();
    const options = {
      ...committed,
      maxPartitionFetchBytes: 1,
      autoOffsetReset: 'earliest',
    } as const;
    const source = fromPartitions(kafka, [{ topic, partition: 0 }], options);
    const seen = await collect(source.pipe(take(7), map(valueOf)));
    expect(seen).toEqual(['a0', 'a1', 'a2', 'c0', 'c1', 'e0', 'e1']);
  });
}
