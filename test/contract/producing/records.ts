import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { UnsupportedVersionError, type ProducerOptions } from '../../../src/index.js';
import { PARTITIONS } from '../cluster.js';
import { reasonOf, texts, textsOf, uniqueTopic, type ContractSetup } from '../setup.js';

/** What is in the log is what was sent. */
export function recordsContract(setup: ContractSetup): void {
  const { hasTimestamps, hasHeaders, hasZstd, hasTopicRequests } = setup.capabilities;

  test('a record is stored with its key and value, and its receipt tells where', async () => {
    const topic = uniqueTopic('plain');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const producer = kafka.producer();
    const receipt = await producer.send({ topic, key: 'anna', value: 'hello', partition: 2 });
    const [record] = await setup.cluster.readAll(topic);
    expect(record).toMatchObject({ partition: 2, offset: 0 });
    expect([record!.key, record!.value].map(String)).toEqual(['anna', 'hello']);
    expect(receipt).toMatchObject({ topic, partition: 2, offset: 0 });
  });

  test('null and empty keys and values stay what they are', async () => {
    const topic = uniqueTopic('nothing');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const producer = kafka.producer();
    const sent = [
      { key: 'tombstone', value: null },
      { key: 'left out' },
      { key: null, value: '' },
      { key: '', value: 'empty key' },
    ];
    await Promise.all(sent.map((record) => producer.send({ topic, partition: 0, ...record })));
    const stored = await setup.cluster.readAll(topic);
    expect(stored.map(({ key, value }) => [key?.toString(), value?.toString()])).toEqual([
      ['tombstone', undefined],
      ['left out', undefined],
      [undefined, ''],
      ['', 'empty key'],
    ]);
  });

  test('bytes of every value pass unchanged', async () => {
    const topic = uniqueTopic('bytes');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const text = 'Zürich, 東京, \u{1f99c}, \0';
    await kafka.producer().send({ topic, key: new Uint8Array(value), value, partition: 0 });
    await kafka.producer().send({ topic, key: text, value: text, partition: 0 });
    const [bytes, words] = await setup.cluster.readAll(topic);
    expect([bytes!.key, bytes!.value]).toEqual([value, value]);
    expect([words!.key, words!.value].map(String)).toEqual([text, text]);
  });

  test('a record of nearly maxRequestSize bytes is stored whole', async () => {
    const topic = uniqueTopic('big');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const value = randomBytes(900_000);
    await kafka.producer().send({ topic, value, partition: 0 });
    const [record] = await setup.cluster.readAll(topic);
    expect(record!.value!.equals(value)).toBe(true);
  });

  describe.runIf(hasTimestamps)('with timestamps', () => {
    test('a record has the time it was given, or the present, and its receipt says so', async () => {
      const topic = uniqueTopic('times');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer();
      const before = Date.now();
      const receipts = await Promise.all([
        producer.send({ topic, value: 'given', partition: 0, timestamp: before - 86_400_000 }),
        producer.send({ topic, value: 'now', partition: 0 }),
      ]);
      const stored = await setup.cluster.readAll(topic);
      expect(stored.map(({ timestamp }) => timestamp)).toEqual(
        receipts.map(({ timestamp }) => timestamp),
      );
      expect(stored[0]!.timestamp).toBe(before - 86_400_000);
      expect(stored[1]!.timestamp).toBeGreaterThanOrEqual(before);
      expect(stored[1]!.timestamp).toBeLessThanOrEqual(Date.now());
    });

    test.runIf(hasTopicRequests)('the receipt tells the time that the broker has set', async () => {
      const topic = uniqueTopic('append-time');
      await setup.cluster.createTopic(topic, {
        config: { 'message.timestamp.type': 'LogAppendTime' },
      });
      await using kafka = setup.connect();
      const sent = { topic, value: 'v', partition: 0, timestamp: Date.now() - 3_600_000 };
      const receipt = await kafka.producer().send(sent);
      const [record] = await setup.cluster.readAll(topic);
      expect(receipt.timestamp).toBe(record!.timestamp);
      expect(record!.timestamp).toBeGreaterThan(sent.timestamp);
    });
  });

  if (!hasTimestamps) {
    test('a receipt tells no time, for the log keeps none', async () => {
      const topic = uniqueTopic('times');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const receipt = await kafka.producer().send({ topic, value: 'v', partition: 0 });
      const [record] = await setup.cluster.readAll(topic);
      expect([record!.timestamp, receipt.timestamp]).toEqual([-1, -1]);
    });
  }

  if (hasHeaders) {
    test('headers keep their order, repetitions, bytes and nulls', async () => {
      const topic = uniqueTopic('headers');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer();
      const headers = [
        ['trace', 'a1'],
        ['trace', Buffer.from([0, 255])],
        ['none', null],
        ['', ''],
      ] as const;
      await producer.send({ topic, value: 'list', partition: 0, headers });
      await producer.send({ topic, value: 'object', partition: 0, headers: { a: '1', b: null } });
      const [list, object] = await setup.cluster.readAll(topic);
      expect(list!.headers).toEqual([
        ['trace', Buffer.from('a1')],
        ['trace', Buffer.from([0, 255])],
        ['none', null],
        ['', Buffer.alloc(0)],
      ]);
      expect(object!.headers).toEqual([
        ['a', Buffer.from('1')],
        ['b', null],
      ]);
    });
  } else {
    test('a record with headers is refused, for the broker would lose them; others go on', async () => {
      const topic = uniqueTopic('headers');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer();
      const send = (value: string, headers?: Record<string, string>) =>
        producer.send({ topic, value, partition: 0, headers });
      const outcomes = await Promise.allSettled([send('a'), send('b', { trace: '1' }), send('c')]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      const reason = reasonOf(outcomes[1]);
      expect(reason).toBeInstanceOf(UnsupportedVersionError);
      expect((reason as Error).message).toMatch(/headers.*0\.11/);
      await expect(send('d', { trace: '2' })).rejects.toThrow(UnsupportedVersionError);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'c']);
    });
  }

  describe('compressed', () => {
    const codecs = ['gzip', 'snappy', 'lz4', ...(hasZstd ? (['zstd'] as const) : [])] as const;
    test.each(codecs)('records are stored with %s as the codec', async (compressionType) => {
      const topic = uniqueTopic(compressionType);
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ compressionType, lingerMs: 50 });
      const values = Array.from({ length: 1000 }, (_, i) => `a value much like the others ${i}`);
      await Promise.all(values.map((value) => producer.send({ topic, value, partition: 1 })));
      const stored = await setup.cluster.readAll(topic);
      expect(textsOf(stored, 1)).toEqual(values);
      expect(new Set(stored.map((record) => record.compressionType))).toEqual(
        new Set([compressionType]),
      );
      expect(stored.map(({ offset }) => offset)).toEqual(values.map((_, i) => i));
    });

    test('codecs can be mixed on one topic', async () => {
      const topic = uniqueTopic('mixed');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const types: NonNullable<ProducerOptions['compressionType']>[] = ['none', ...codecs];
      for (const compressionType of types) {
        const producer = kafka.producer({ compressionType });
        await producer.send({ topic, value: compressionType, partition: 0 });
        await producer.close();
      }
      const stored = await setup.cluster.readAll(topic);
      expect(texts(stored)).toEqual(types);
      expect(stored.map(({ compressionType }) => compressionType)).toEqual(types);
    });

    if (!hasZstd) {
      test('zstd is refused at once, naming the codec and what it needs', async () => {
        const topic = uniqueTopic('zstd');
        await setup.cluster.createTopic(topic);
        await using kafka = setup.connect();
        const sent = kafka.producer({ compressionType: 'zstd' }).send({ topic, value: 'v' });
        const error: unknown = await sent.catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(UnsupportedVersionError);
        expect((error as Error).message).toMatch(/zstd.*2\.1/);
      });
    }
  });

  describe('partitions', () => {
    test('keys go where Java puts them', async () => {
      const topic = uniqueTopic('keys');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer();
      // murmur2 as Java's Utils computes it.
      const hashes: Record<string, number> = {
        21: -973932308,
        foobar: -790332482,
        'a-little-bit-long-string': -985981536,
        'a-little-bit-longer-string': -1486304829,
        lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
        abc: 479470107,
      };
      const keys = Object.keys(hashes);
      const receipts = await Promise.all(
        keys.map((key) => producer.send({ topic, key, value: key })),
      );
      const expected = keys.map((key) => (hashes[key]! & 0x7fff_ffff) % PARTITIONS);
      expect(receipts.map(({ partition }) => partition)).toEqual(expected);
      const stored = await setup.cluster.readAll(topic);
      for (const { partition, key } of stored) {
        expect(partition).toBe((hashes[String(key)]! & 0x7fff_ffff) % PARTITIONS);
      }
    });

    test('an explicit partition and a partitioner of one’s own are obeyed', async () => {
      const topic = uniqueTopic('chosen');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({
        partitioner: ({ value, partitionCount }) => Number(value) % partitionCount,
      });
      await Promise.all(
        ['0', '1', '2', '3'].map((value) => producer.send({ topic, key: 'same', value })),
      );
      await producer.send({ topic, key: 'same', value: '4', partition: 0 });
      const stored = await setup.cluster.readAll(topic);
      expect([0, 1, 2].map((partition) => textsOf(stored, partition))).toEqual([
        ['0', '3', '4'],
        ['1'],
        ['2'],
      ]);
    });

    test('records without a key reach every partition in the long run', async () => {
      const topic = uniqueTopic('sticky');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ batchSize: 1000 });
      const value = 'x'.repeat(100);
      await Promise.all(Array.from({ length: 1000 }, () => producer.send({ topic, value })));
      const stored = await setup.cluster.readAll(topic);
      expect(stored).toHaveLength(1000);
      for (const partition of [0, 1, 2]) expect(textsOf(stored, partition)).not.toEqual([]);
    });

    test('partitionsFor describes every partition', async () => {
      const topic = uniqueTopic('described');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const partitions = await kafka.producer().partitionsFor(topic);
      expect(partitions).toHaveLength(PARTITIONS);
      for (const { leader, replicas, inSyncReplicas } of partitions) {
        expect(replicas).toEqual([leader]);
        expect(inSyncReplicas).toEqual([leader]);
      }
    });
  });
}
