import { concatMap, from, map, merge, take, tap } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  fromFetches,
  fromOffsetRange,
  fromPartitions,
  fromTopics,
  json,
  string,
  type ConsumerRecord,
  type OffsetRange,
} from '../../../src/index.js';
import { PARTITIONS } from '../cluster.js';
import { collect, uniqueTopic, type ContractSetup } from '../setup.js';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const valueOf = ({ value }: ConsumerRecord) => String(value);

/** All partitions of a topic, to their present ends. */
export const wholeOf = (topic: string): OffsetRange[] =>
  numbers(PARTITIONS).map((partition) => ({ topic, partition }));

/** What is in the log is delivered, in its order. */
export function readingContract(setup: ContractSetup): void {
  const { hasHeaders, hasTimestamps, hasZstd, canAddPartitions } = setup.capabilities;

  test('every record of every partition is delivered once, in order, as it was written', async () => {
    const topic = uniqueTopic('read');
    await setup.cluster.createTopic(topic);
    const timestamp = Date.now() - 5000;
    for (const partition of numbers(PARTITIONS)) {
      const records = numbers(700).map((i) => ({
        key: i % 3 === 0 ? null : `key ${i}`,
        value: i % 5 === 0 ? null : `value ${partition} ${i}`,
        timestamp: timestamp + i,
        ...(hasHeaders && { headers: [['i', String(i)]] as const }),
      }));
      await setup.cluster.write(topic, partition, records.slice(0, 300));
      await setup.cluster.write(topic, partition, records.slice(300));
    }
    await using kafka = setup.connect();
    const records = await collect(fromOffsetRange(kafka, wholeOf(topic)));
    const logged = await setup.cluster.readAll(topic);
    expect(records).toHaveLength(PARTITIONS * 700);
    for (const partition of numbers(PARTITIONS)) {
      const plain = (record: (typeof logged)[number] | ConsumerRecord) => {
        const { offset, timestamp, key, value, headers } = record;
        return { offset, timestamp, key, value, headers };
      };
      const own = (record: { readonly partition: number }) => record.partition === partition;
      expect(records.filter(own).map(plain)).toEqual(logged.filter(own).map(plain));
    }
    for (const record of records) expect(record.topic).toBe(topic);
    if (hasTimestamps) expect(records[0]!.timestamp).toBe(timestamp);
    if (hasHeaders) expect(String(records[1]!.header('i'))).toBe('1');
  });

  const codecs = [
    'none',
    'gzip',
    'snappy',
    'lz4',
    ...(hasZstd ? (['zstd'] as const) : []),
  ] as const;
  test(`batches of ${codecs.join(', ')} can be mixed on one partition`, async () => {
    const topic = uniqueTopic('codecs');
    await setup.cluster.createTopic(topic);
    for (const compressionType of codecs) {
      const records = numbers(100).map((i) => ({ value: `${compressionType} ${i}` }));
      await setup.cluster.write(topic, 0, records, { compressionType });
    }
    await using kafka = setup.connect();
    const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }]));
    expect(records.map(valueOf)).toEqual(
      codecs.flatMap((codec) => numbers(100).map((i) => `${codec} ${i}`)),
    );
    expect(records.map(({ offset }) => offset)).toEqual(numbers(codecs.length * 100));
  });

  test('a stretch may begin and end in the middle of a compressed batch', async () => {
    const topic = uniqueTopic('stretch');
    await setup.cluster.createTopic(topic);
    for (const first of [0, 50, 100]) {
      const records = numbers(50).map((i) => ({ value: `v${first + i}` }));
      await setup.cluster.write(topic, 1, records, { compressionType: 'gzip' });
    }
    await using kafka = setup.connect();
    const range = { topic, partition: 1, from: { offset: 33 }, to: 117 };
    const records = await collect(fromOffsetRange(kafka, [range]));
    expect(records.map(({ offset }) => offset)).toEqual(numbers(84).map((i) => 33 + i));
    expect(records.map(valueOf)).toEqual(numbers(84).map((i) => `v${33 + i}`));
  });

  test('an empty stretch completes', async () => {
    const topic = uniqueTopic('empty');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    expect(await collect(fromOffsetRange(kafka, wholeOf(topic)))).toEqual([]);
  });

  test('records that are written later come while it is subscribed', async () => {
    const topic = uniqueTopic('tail');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(topic, 0, [{ value: 'before' }]);
    await using kafka = setup.connect();
    const partitions = [{ topic, partition: 0, start: 'beginning' as const }];
    const seen = collect(
      fromPartitions(kafka, partitions).pipe(
        tap(({ offset }) => {
          // Each record that comes has the next one written.
          if (offset < 4) void setup.cluster.write(topic, 0, [{ value: `after ${offset}` }]);
        }),
        map(valueOf),
        take(5),
      ),
    );
    expect(await seen).toEqual(['before', 'after 0', 'after 1', 'after 2', 'after 3']);
  });

  test('topics are read from all partitions without a group', async () => {
    const topics = [uniqueTopic('first'), uniqueTopic('second')];
    for (const topic of topics) {
      await setup.cluster.createTopic(topic);
      for (const partition of numbers(PARTITIONS)) {
        await setup.cluster.write(topic, partition, [{ value: `${topic} ${partition}` }]);
      }
    }
    await using kafka = setup.connect();
    const source = fromTopics(kafka, topics, { autoOffsetReset: 'earliest' });
    const values = await collect(source.pipe(take(2 * PARTITIONS), map(valueOf)));
    expect(values.toSorted()).toEqual(
      topics.flatMap((topic) => numbers(PARTITIONS).map((p) => `${topic} ${p}`)).toSorted(),
    );
  });

  test('topics are found by a pattern that their whole name matches', async () => {
    const name = uniqueTopic('pattern');
    for (const topic of [`${name}-a`, `${name}-b`, `not-${name}-a`]) {
      await setup.cluster.createTopic(topic);
      await setup.cluster.write(topic, 0, [{ value: topic }]);
    }
    await using kafka = setup.connect();
    const source = fromTopics(kafka, new RegExp(`${name}-.`), { autoOffsetReset: 'earliest' });
    const values = await collect(source.pipe(take(2), map(valueOf)));
    expect(values.toSorted()).toEqual([`${name}-a`, `${name}-b`]);
  });

  test.runIf(canAddPartitions)(
    'partitions that are added while reading are read from their start',
    async () => {
      const topic = uniqueTopic('grows');
      await setup.cluster.createTopic(topic, { partitions: 1 });
      await setup.cluster.write(topic, 0, [{ value: 'old' }]);
      await using kafka = setup.connect({ metadataMaxAgeMs: 200 });
      const options = { autoOffsetReset: 'earliest', metadataMaxAgeMs: 200 } as const;
      const values = await collect(
        fromTopics(kafka, topic, options).pipe(
          map(valueOf),
          tap((value) => {
            if (value !== 'old') return;
            void setup.cluster
              .addPartitions(topic, 2)
              .then(() => setup.cluster.write(topic, 1, [{ value: 'new' }]));
          }),
          take(2),
        ),
      );
      expect(values).toEqual(['old', 'new']);
    },
  );

  test('a record larger than what a fetch may bring is brought all the same', async () => {
    const topic = uniqueTopic('oversized');
    await setup.cluster.createTopic(topic);
    const big = 'x'.repeat(300_000);
    for (const value of ['small', big, 'last']) await setup.cluster.write(topic, 0, [{ value }]);
    await using kafka = setup.connect();
    const limits = { maxPartitionFetchBytes: 10_000, fetchMaxBytes: 10_000 };
    const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }], limits));
    expect(records.map(valueOf)).toEqual(['small', big, 'last']);
  });

  test('reading goes on without fetch sessions', async () => {
    const topic = uniqueTopic('sessionless');
    await setup.cluster.createTopic(topic);
    for (const partition of numbers(PARTITIONS)) {
      await setup.cluster.write(topic, partition, [{ value: 'a' }, { value: 'b' }]);
    }
    await using kafka = setup.connect();
    const options = { enableIncrementalFetchSessions: false };
    const records = await collect(fromOffsetRange(kafka, wholeOf(topic), options));
    expect(records).toHaveLength(2 * PARTITIONS);
  });

  test('fetches are handed out one by one, and the pace is that of concatMap', async () => {
    const topic = uniqueTopic('fetches');
    await setup.cluster.createTopic(topic);
    for (let i = 0; i < 20; i++) {
      await setup.cluster.write(topic, 0, [{ value: `${i} a` }, { value: `${i} b` }]);
    }
    await using kafka = setup.connect();
    const options = { autoOffsetReset: 'earliest', maxPartitionFetchBytes: 100 } as const;
    let open = 0;
    const values = await collect(
      fromFetches(kafka, topic, options).pipe(
        concatMap((fetch) => {
          expect(++open).toBe(1);
          return fetch.records.pipe(tap({ complete: () => open-- }));
        }),
        map(valueOf),
        take(40),
      ),
    );
    expect(values).toEqual(numbers(20).flatMap((i) => [`${i} a`, `${i} b`]));
  });

  test('several subscriptions of one source read all, each for itself', async () => {
    const topic = uniqueTopic('cold');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(
      topic,
      0,
      numbers(10).map((i) => ({ value: String(i) })),
    );
    await using kafka = setup.connect();
    const source = fromOffsetRange(kafka, [{ topic, partition: 0 }]).pipe(map(valueOf));
    const values = await collect(merge(source, source));
    expect(values.toSorted()).toEqual(numbers(10).flatMap((i) => [String(i), String(i)]));
  });

  describe('values', () => {
    test('pass through deserializers, whose types carry on', async () => {
      const topic = uniqueTopic('typed');
      await setup.cluster.createTopic(topic);
      const value = JSON.stringify({ n: 7 });
      await setup.cluster.write(topic, 0, [
        { key: 'anna', value },
        { key: null, value: null },
      ]);
      await using kafka = setup.connect();
      const records = await collect(
        fromOffsetRange(kafka, [{ topic, partition: 0 }], {
          keyDeserializer: string(),
          valueDeserializer: json<{ n: number }>(),
        }),
      );
      expect(records.map(({ key, value }) => [key, (value as { n: number } | null)?.n])).toEqual([
        ['anna', 7],
        [null, undefined],
      ]);
    });

    test('may be deserialized asynchronously, and order is kept', async () => {
      const topic = uniqueTopic('async');
      await setup.cluster.createTopic(topic);
      await setup.cluster.write(
        topic,
        0,
        numbers(30).map((i) => ({ value: String(i) })),
      );
      await using kafka = setup.connect();
      const valueDeserializer = async (bytes: Buffer) => {
        const n = Number(bytes);
        for (let turn = n % 3; turn > 0; turn--) await Promise.resolve();
        return n;
      };
      const records = await collect(
        fromOffsetRange(kafka, [{ topic, partition: 0 }], { valueDeserializer }),
      );
      expect(records.map(({ value }) => value)).toEqual(numbers(30));
    });
  });

  test('what was consumed can be produced elsewhere through stock operators', async () => {
    const [source, sink] = [uniqueTopic('source'), uniqueTopic('sink')];
    await setup.cluster.createTopic(source);
    await setup.cluster.createTopic(sink);
    await setup.cluster.write(
      source,
      0,
      numbers(50).map((i) => ({ value: String(i) })),
    );
    await using kafka = setup.connect();
    const producer = kafka.producer();
    await collect(
      fromOffsetRange(kafka, [{ topic: source, partition: 0 }]).pipe(
        concatMap(({ value }) => from(producer.send({ topic: sink, partition: 0, value }))),
      ),
    );
    const copied = await setup.cluster.readAll(sink);
    expect(copied.map(({ value }) => String(value))).toEqual(numbers(50).map(String));
  });
}
