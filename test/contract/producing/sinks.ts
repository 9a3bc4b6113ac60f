import { Readable } from 'node:stream';
import { concat, from, interval, map, of, Subject, take, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { KafkaError } from '../../../src/index.js';
import {
  json,
  sendAll,
  SerializationError,
  string,
  toTopic,
  type Receipt,
} from '../../../src/index.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { PARTITIONS } from '../cluster.js';
import { collect, texts, textsOf, uniqueTopic, type ContractSetup } from '../setup.js';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Streams end up in topics. */
export function sinksContract(setup: ContractSetup): void {
  describe('toTopic', () => {
    test('emits a true receipt for every record, and completes after the last', async () => {
      const topic = uniqueTopic('receipts');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const records = numbers(3000).map((i) => ({ key: `key ${i % 97}`, value: `value ${i}` }));
      const receipts = await collect(from(records).pipe(toTopic(kafka, topic)));
      expect(new Set(receipts.map(({ origin }) => origin))).toEqual(new Set(records));
      const stored = await setup.cluster.readAll(topic);
      expect(stored).toHaveLength(records.length);
      const byPlace = new Map(stored.map((r) => [`${r.partition} ${r.offset}`, r]));
      for (const { partition, offset, timestamp, origin } of receipts) {
        const record = byPlace.get(`${partition} ${offset}`);
        expect([record?.key, record?.value].map(String)).toEqual([origin.key, origin.value]);
        if (setup.capabilities.hasTimestamps) expect(record?.timestamp).toBe(timestamp);
      }
    });

    test('keeps the order of the source within each partition', async () => {
      const topic = uniqueTopic('ordered');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const source = from(numbers(5000)).pipe(
        map((i) => ({ partition: i % PARTITIONS, value: String(i) })),
      );
      const options = { batchSize: 500, lingerMs: 0 };
      const receipts = await collect(source.pipe(toTopic(kafka, topic, options)));
      const stored = await setup.cluster.readAll(topic);
      for (const partition of numbers(PARTITIONS)) {
        const expected = numbers(5000).filter((i) => i % PARTITIONS === partition);
        expect(textsOf(stored, partition)).toEqual(expected.map(String));
        const offsets = receipts.filter((r) => r.partition === partition).map((r) => r.offset);
        expect(offsets).toEqual(numbers(expected.length));
      }
    });

    test('makes records of plain values, and chooses a topic for each', async () => {
      const [even, odd] = [uniqueTopic('even'), uniqueTopic('odd')];
      await setup.cluster.createTopic(even);
      await setup.cluster.createTopic(odd);
      await using kafka = setup.connect();
      const sink = toTopic(kafka, (n: number) => (n % 2 === 0 ? even : odd), {
        toRecord: (n: number) => ({ key: `n${n}`, value: { n }, partition: 0 }),
        keySerializer: string(),
        valueSerializer: json<{ n: number }>(),
      });
      await collect(from(numbers(10)).pipe(sink));
      expect(texts(await setup.cluster.readAll(even))).toEqual(
        [0, 2, 4, 6, 8].map((n) => JSON.stringify({ n })),
      );
      expect(texts(await setup.cluster.readAll(odd))).toEqual(
        [1, 3, 5, 7, 9].map((n) => JSON.stringify({ n })),
      );
    });

    test('finishes what it accepted when the source fails, then fails with that', async () => {
      const topic = uniqueTopic('source-fails');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const records = of({ value: 'a', partition: 0 }, { value: 'b', partition: 0 });
      const receipts: Receipt<unknown>[] = [];
      const failing = concat(
        records,
        throwError(() => new Error('upstream')),
      );
      const outcome = await new Promise((resolve) => {
        failing.pipe(toTopic(kafka, topic, { lingerMs: 1000 })).subscribe({
          next: (receipt) => receipts.push(receipt),
          error: resolve,
          complete: () => resolve('completed'),
        });
      });
      expect(outcome).toEqual(new Error('upstream'));
      expect(receipts.map(({ offset }) => offset)).toEqual([0, 1]);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    });

    test('finishes in the background what it accepted before it was unsubscribed', async () => {
      const topic = uniqueTopic('unsubscribed');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const source = new Subject<{ value: string; partition: number }>();
      const subscription = source.pipe(toTopic(kafka, topic)).subscribe();
      for (const value of ['a', 'b', 'c']) source.next({ value, partition: 0 });
      subscription.unsubscribe();
      expect(source.observed).toBe(false);
      await waitUntil(
        async () => (await setup.cluster.readAll(topic)).length === 3,
        10_000,
        () => 'the accepted records never arrived',
      );
    });

    test('stops its source when enough receipts were taken', async () => {
      const topic = uniqueTopic('enough');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const receipts = await collect(
        interval(1).pipe(
          map((i) => ({ value: String(i), partition: 0 })),
          toTopic(kafka, topic, { lingerMs: 0 }),
          take(5),
        ),
      );
      expect(receipts.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
    });

    test('puts a failure in the place of its receipt, and goes on, with onError emit', async () => {
      const topic = uniqueTopic('emitted');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const outcomes = await collect(
        of('a', 42, 'b').pipe(
          toTopic(kafka, topic, {
            toRecord: (value) => ({ value, partition: 0 }),
            onError: 'emit',
          }),
        ),
      );
      const failures = outcomes.filter((outcome) => 'error' in outcome);
      expect(failures).toHaveLength(1);
      expect(failures[0]).toMatchObject({ origin: 42 });
      expect(failures[0]!.error).toBeInstanceOf(SerializationError);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    });

    test('emits what a handler makes of a failure', async () => {
      const [topic, rejects] = [uniqueTopic('handled'), uniqueTopic('rejects')];
      await setup.cluster.createTopic(topic);
      await setup.cluster.createTopic(rejects);
      await using kafka = setup.connect();
      const producer = kafka.producer();
      const outcomes = await collect(
        of('a', 42, 'b').pipe(
          toTopic(producer, topic, {
            toRecord: (value) => ({ value, partition: 0 }),
            onError: ({ error, origin }) =>
              producer.send({ topic: rejects, key: error.code, value: String(origin) }),
          }),
        ),
      );
      expect(outcomes).toHaveLength(3);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
      const [rejected] = await setup.cluster.readAll(rejects);
      expect([rejected!.key, rejected!.value].map(String)).toEqual(['SERIALIZATION_FAILED', '42']);
    });

    test('fails with the first failure by default, after what was accepted', async () => {
      const topic = uniqueTopic('fails');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const sink = toTopic(kafka, topic, {
        toRecord: (value: string | number) => ({ value, partition: 0 }),
      });
      const error: unknown = await collect(of('a', 'b', 42, 'c').pipe(sink)).catch(
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(SerializationError);
      expect((error as KafkaError).context).toMatchObject({ topic });
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    });

    test('shares a producer with other sinks and with send', async () => {
      const topic = uniqueTopic('shared');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ batchSize: 300, lingerMs: 0 });
      const named = (name: string) =>
        from(numbers(300)).pipe(map((i) => ({ value: `${name}${i}`, partition: 1 })));
      await Promise.all([
        collect(named('a').pipe(toTopic(producer, topic))),
        collect(named('b').pipe(toTopic(producer, topic))),
        ...numbers(300).map((i) => producer.send({ topic, value: `c${i}`, partition: 1 })),
      ]);
      const stored = textsOf(await setup.cluster.readAll(topic), 1);
      expect(stored).toHaveLength(900);
      for (const name of ['a', 'b', 'c']) {
        const own = stored.filter((value) => value!.startsWith(name));
        expect(own).toEqual(numbers(300).map((i) => `${name}${i}`));
      }
    });
  });

  describe('sendAll', () => {
    const value = 'x'.repeat(200);
    function* generator() {
      for (let i = 0; i < 2000; i++) yield { key: String(i), value };
    }
    async function* asyncGenerator() {
      await Promise.resolve();
      yield* generator();
    }
    const sources = {
      'an array': () => [...generator()],
      'a generator': generator,
      'an async generator': asyncGenerator,
      'a Node stream': () => Readable.from(generator()),
      'a web stream': () => Readable.toWeb(Readable.from(generator())) as ReadableStream<Item>,
    };
    type Item = ReturnType<typeof generator> extends Generator<infer T> ? T : never;

    test.each(Object.entries(sources))(
      'writes all of %s through a small buffer',
      async (_, make) => {
        const topic = uniqueTopic('all');
        await setup.cluster.createTopic(topic);
        await using kafka = setup.connect();
        const options = { bufferMemory: 32 * 1024, batchSize: 4096 };
        const receipts = await collect(sendAll(kafka, topic, make(), options));
        expect(receipts).toHaveLength(2000);
        const keys = (await setup.cluster.readAll(topic)).map(({ key }) => String(key));
        expect(new Set(keys)).toEqual(new Set(numbers(2000).map(String)));
        expect(keys).toHaveLength(2000);
      },
    );

    test('finishes what was taken when the source throws, then fails with that', async () => {
      const topic = uniqueTopic('throws');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      function* failing() {
        yield { value: 'a', partition: 0 };
        yield { value: 'b', partition: 0 };
        throw new Error('no more');
      }
      await expect(collect(sendAll(kafka, topic, failing()))).rejects.toThrow('no more');
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    });
  });
}
