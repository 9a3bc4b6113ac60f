import { from, of } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  json,
  KafkaError,
  sendAll,
  SerializationError,
  toTopic,
} from '../../../src/index.js';
import { collect, reasonOf, texts, uniqueTopic, type ContractSetup } from '../setup.js';

interface Mistake {
  readonly what: string;
  readonly record: object;
  readonly code: string;
  readonly says: RegExp;
}

/** Records that can't be sent, each by its own fault. */
const mistakes: readonly Mistake[] = [
  {
    what: 'a value that is neither bytes nor text',
    record: { value: 42 },
    code: 'SERIALIZATION_FAILED',
    says: /value.*number needs a serializer/,
  },
  {
    what: 'a key that is neither bytes nor text',
    record: { key: { id: 1 }, value: 'v' },
    code: 'SERIALIZATION_FAILED',
    says: /key.*object needs a serializer/,
  },
  {
    what: 'a partition out of range',
    record: { value: 'v', partition: 99 },
    code: 'INVALID_PARTITION',
    says: /no partition 99.*0 to 2/,
  },
  {
    what: 'a negative partition',
    record: { value: 'v', partition: -1 },
    code: 'INVALID_PARTITION',
    says: /no partition -1/,
  },
  {
    what: 'a partition that is no whole number',
    record: { value: 'v', partition: 0.5 },
    code: 'INVALID_PARTITION',
    says: /no partition 0\.5/,
  },
  {
    what: 'a partition that is no number',
    record: { value: 'v', partition: 'first' },
    code: 'INVALID_PARTITION',
    says: /no partition 'first'/,
  },
  {
    what: 'a timestamp that is no whole number',
    record: { value: 'v', timestamp: 1.5 },
    code: 'INVALID_RECORD_INPUT',
    says: /timestamp/,
  },
  {
    what: 'a Date as the timestamp',
    record: { value: 'v', timestamp: new Date(0) },
    code: 'INVALID_RECORD_INPUT',
    says: /timestamp/,
  },
  {
    what: 'a header that is neither bytes nor text',
    record: { value: 'v', headers: { trace: 7 } },
    code: 'INVALID_RECORD_INPUT',
    says: /header/,
  },
  {
    what: 'headers that are no pairs',
    record: { value: 'v', headers: ['trace'] },
    code: 'INVALID_RECORD_INPUT',
    says: /header.*the string trace/,
  },
  {
    what: 'headers in a Map',
    record: { value: 'v', headers: new Map([['trace', '1']]) },
    code: 'INVALID_RECORD_INPUT',
    says: /headers.*not a Map/,
  },
  {
    what: 'a record of nothing',
    record: { valeu: 'misspelt' },
    code: 'INVALID_RECORD_INPUT',
    says: /\{ key, value, headers \}.*tombstone/,
  },
];

/** What becomes of a value of a stream, by its last digit; of all others: it is written. */
const fates: Readonly<Record<number, string>> = {
  1: 'SERIALIZATION_FAILED',
  2: 'RECORD_TOO_LARGE',
  3: 'MESSAGE_TOO_LARGE',
  4: 'INVALID_PARTITION',
  6: 'INVALID_RECORD_INPUT',
  7: 'METADATA_TIMED_OUT',
  8: 'INVALID_RECORD_INPUT',
};

/** What is wrong with one record hurts no other. */
export function badInputContract(setup: ContractSetup): void {
  const { hasHeaders, hasIdempotence } = setup.capabilities;
  const testable = mistakes.filter(({ says }) => hasHeaders || !says.test('header'));

  test.each(testable)(
    '$what is refused, and the records around it are written',
    async (mistake) => {
      const topic = uniqueTopic('mistake');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer();
      const good = (value: string) => producer.send({ topic, value, partition: 0 });
      const bad = () => producer.send({ topic, partition: 0, ...mistake.record });
      // Once before the topic's partitions are known, once after.
      const outcomes = await Promise.allSettled([good('a'), bad(), good('b')]);
      outcomes.push(...(await Promise.allSettled([good('c'), bad(), good('d')])));
      for (const at of [1, 4]) {
        const reason = reasonOf(outcomes[at]);
        expect(reason).toBeInstanceOf(KafkaError);
        expect(reason).toMatchObject({ code: mistake.code, context: { topic } });
        expect((reason as Error).message).toMatch(mistake.says);
      }
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b', 'c', 'd']);
    },
  );

  // Brokers before 0.11 can't be asked not to create topics.
  test.runIf(hasIdempotence)(
    'in a stream of records and mistakes each mistake fails alone, and the rest is written in order',
    async () => {
      const topic = uniqueTopic('mixed');
      const absent = uniqueTopic('absent');
      await setup.cluster.createTopic(topic, { config: { 'max.message.bytes': 5000 } });
      await using kafka = setup.connect({ allowAutoCreateTopics: false });
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      const sizes: Record<number, number> = { 2: 50_000, 3: 9000 };
      const topics: Record<number, string> = { 6: 'no such name', 7: absent };
      const outcomes = await collect(
        from(numbers).pipe(
          toTopic(kafka, (i) => topics[i % 10] ?? topic, {
            toRecord: (i) => ({
              value: i,
              partition: i % 10 === 4 ? 99 : 0,
              ...(i % 10 === 8 && { timestamp: 1.5 }),
            }),
            valueSerializer: (i) => {
              if (i % 10 === 1) throw new Error(`no ${i}`);
              return String(i).padEnd(sizes[i % 10] ?? 0);
            },
            onError: 'emit',
            maxRequestSize: 20_000,
            maxBlockMs: 1000,
          }),
        ),
      );
      const good = numbers.filter((i) => !(i % 10 in fates));
      const receipts = outcomes.filter((outcome) => !('error' in outcome));
      expect(receipts.map(({ origin }) => origin)).toEqual(good);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(good.map(String));
      const failures = outcomes.filter((outcome) => 'error' in outcome);
      expect(failures).toHaveLength(numbers.length - good.length);
      for (const { error, origin } of failures) {
        expect(error).toBeInstanceOf(KafkaError);
        expect({ origin, code: error.code }).toEqual({ origin, code: fates[origin % 10] });
        if (origin % 10 !== 6) {
          expect(error.context).toMatchObject({ topic: origin % 10 === 7 ? absent : topic });
        }
      }
    },
  );

  test.each(['.', '..', 'a b', 'a/b', 'ü', 'x'.repeat(250)])(
    'the topic name %j is refused without asking a broker',
    async (topic) => {
      await using kafka = setup.connect();
      const sent = kafka.producer().send({ topic, value: 'v' });
      await expect(sent).rejects.toMatchObject({ code: 'INVALID_RECORD_INPUT' });
      await expect(sent).rejects.toThrow(/not a legal topic name/);
    },
  );

  test.each([undefined, null, '', 7])('the topic %j is refused as well', async (topic) => {
    await using kafka = setup.connect();
    const sent = kafka.producer().send({ topic, value: 'v' } as never);
    await expect(sent).rejects.toMatchObject({ code: 'INVALID_RECORD_INPUT' });
  });

  test.each([undefined, null, 'text', 7])('%j instead of a record is refused', async (record) => {
    await using kafka = setup.connect();
    const sent = kafka.producer().send(record as never);
    await expect(sent).rejects.toBeInstanceOf(KafkaError);
  });

  test.each([
    { what: 'text', value: 'hello' },
    { what: 'bytes', value: Buffer.from('hello') },
    { what: 'objects', value: { user: 'anna' } },
    { what: 'nothing', value: undefined },
  ])('plain $what instead of records: the error tells of toRecord', async ({ value }) => {
    const topic = uniqueTopic('plain-values');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const around = ['a', 'b'].map((text) => ({ value: text, partition: 0 }));
    const values = of<unknown[]>(around[0], value, around[1]);
    const error: unknown = await collect(values.pipe(toTopic(kafka, topic))).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'INVALID_RECORD_INPUT', context: { topic } });
    expect((error as Error).message).toMatch(/toRecord/);
    expect(texts(await setup.cluster.readAll(topic))).toEqual(['a']);
  });

  test('a sink’s callbacks that throw end the stream with what they threw', async () => {
    const topic = uniqueTopic('callbacks');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const thrower = (): never => {
      throw new Error('mine');
    };
    const value = of({ value: 'v' });
    await expect(collect(value.pipe(toTopic(kafka, thrower)))).rejects.toThrow('mine');
    const toRecord = { toRecord: thrower };
    await expect(collect(value.pipe(toTopic(kafka, topic, toRecord)))).rejects.toThrow('mine');
    const onError = { onError: thrower };
    const bad = of({ value: 42 });
    await expect(collect(bad.pipe(toTopic(kafka, topic, onError)))).rejects.toThrow('mine');
    expect(await setup.cluster.readAll(topic)).toEqual([]);
  });

  describe('serializers', () => {
    test('one that throws fails its record alone, with what it threw as the cause', async () => {
      const topic = uniqueTopic('serializer');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const cause = new Error('no such thing');
      const producer = kafka.producer<string, string>({
        valueSerializer: (value) => {
          if (value === 'bad') throw cause;
          return value.toUpperCase();
        },
      });
      const outcomes = await Promise.allSettled(
        ['a', 'bad', 'b'].map((value) => producer.send({ topic, value, partition: 0 })),
      );
      const reason = reasonOf(outcomes[1]);
      expect(reason).toBeInstanceOf(SerializationError);
      expect(reason).toMatchObject({ cause, context: { topic } });
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['A', 'B']);
    });

    test.each([
      ['a number', () => 7],
      ['a promise', () => Promise.resolve('later')],
      ['nothing', () => undefined],
      ['a serializer that is still to be called', json],
    ])('one that returns %s fails its record alone', async (_, valueSerializer) => {
      const topic = uniqueTopic('serializer');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const odd = kafka.producer({ valueSerializer: valueSerializer as never });
      const sent = odd.send({ topic, value: 'v', partition: 0 });
      await expect(sent).rejects.toBeInstanceOf(SerializationError);
      await expect(sent).rejects.toThrow(new RegExp(`value.*${topic}`));
      expect(await setup.cluster.readAll(topic)).toEqual([]);
    });
  });

  describe('partitioners', () => {
    test('one that throws, or answers nonsense, fails its record alone', async () => {
      const topic = uniqueTopic('partitioner');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const cause = new Error('lost');
      const answers: Record<string, unknown> = { none: undefined, far: 99, half: 0.5 };
      const producer = kafka.producer({
        partitioner: ({ value }) => {
          if (String(value) === 'throws') throw cause;
          return (String(value) in answers ? answers[String(value)] : 0) as number;
        },
      });
      const values = ['a', 'throws', 'none', 'far', 'half', 'b'];
      const outcomes = await Promise.allSettled(
        values.map((value) => producer.send({ topic, value })),
      );
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { reason: { code: 'INVALID_RECORD_INPUT', cause } },
        { reason: { code: 'INVALID_PARTITION' } },
        { reason: { code: 'INVALID_PARTITION' } },
        { reason: { code: 'INVALID_PARTITION' } },
        { status: 'fulfilled' },
      ]);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    });
  });

  describe('options', () => {
    test.each([
      [{ lingerms: 5 }, /lingerms.*lingerMs/],
      [{ acks: 2 }, /acks.*2/],
      [{ lingerMs: -1 }, /lingerMs.*-1/],
      [{ lingerMs: '5' }, /lingerMs/],
      [{ batchSize: NaN }, /batchSize/],
      [{ compressionType: 'brotli' }, /compressionType.*brotli.*zstd/],
      [{ enableIdempotence: true, acks: 1 }, /acks.*enableIdempotence/],
      [{ maxInFlightRequestsPerConnection: 6 }, /maxInFlightRequestsPerConnection.*6/],
      [{ deliveryTimeoutMs: 100 }, /deliveryTimeoutMs.*requestTimeoutMs/],
      [{ compressionType: 'gzip', compressionLevel: 10 }, /compressionLevel.*10/],
      [{ compressionLevel: 3 }, /compressionLevel/],
      [{ keySerializer: 'json' }, /keySerializer/],
      [{ partitioner: 'murmur2' }, /partitioner/],
    ])('%j is refused at once, naming the option and the fix', async (options, says) => {
      await using kafka = setup.connect();
      expect(() => kafka.producer(options as never)).toThrow(ConfigError);
      expect(() => kafka.producer(options as never)).toThrow(says);
      expect(() => toTopic(kafka, 'a', options as never)).toThrow(says);
      expect(() => sendAll(kafka, 'a', [], options as never)).toThrow(says);
    });
  });
}
