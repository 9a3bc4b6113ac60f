import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TimeoutError, UnsupportedVersionError, type LifecycleEvent } from '../../../src/index.js';
import { reasonOf, texts, textsOf, uniqueTopic, type ContractSetup } from '../setup.js';

/** When records are sent, what their receipts mean, and what becomes of them on the way. */
export function deliveryContract(setup: ContractSetup): void {
  const { hasIdempotence, hasTopicRequests, canAddPartitions, hasTimestampLimits } =
    setup.capabilities;

  test('flush sends what lingers, and resolves when it is written', async () => {
    const topic = uniqueTopic('flushed');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const producer = kafka.producer({ lingerMs: 60_000 });
    const sent = ['a', 'b', 'c'].map((value) => producer.send({ topic, value, partition: 0 }));
    await producer.flush();
    expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b', 'c']);
    expect((await Promise.all(sent)).map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  test('close sends what lingers; afterwards send fails, and says why', async () => {
    const topic = uniqueTopic('closed');
    await setup.cluster.createTopic(topic);
    await using kafka = setup.connect();
    const producer = kafka.producer({ lingerMs: 60_000 });
    const sent = producer.send({ topic, value: 'a', partition: 0 });
    await producer.close();
    await expect(sent).resolves.toMatchObject({ offset: 0 });
    const late = producer.send({ topic, value: 'b', partition: 0 });
    await expect(late).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' });
    await producer.close();
    expect(texts(await setup.cluster.readAll(topic))).toEqual(['a']);
  });

  test('closing the client closes its producers the same way', async () => {
    const topic = uniqueTopic('client-closed');
    await setup.cluster.createTopic(topic);
    const kafka = setup.connect();
    const sent = kafka.producer({ lingerMs: 60_000 }).send({ topic, value: 'a', partition: 0 });
    await kafka.close();
    await expect(sent).resolves.toMatchObject({ offset: 0 });
  });

  describe('acks', () => {
    test.each(['all', 1] as const)('%s: the receipt tells the offset', async (acks) => {
      const topic = uniqueTopic('acks');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ acks });
      const receipts = await Promise.all(
        ['a', 'b', 'c'].map((value) => producer.send({ topic, value, partition: 0 })),
      );
      expect(receipts.map(({ offset }) => offset)).toEqual([0, 1, 2]);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b', 'c']);
    });

    test('0: the receipt comes at once and knows no offset', async () => {
      const topic = uniqueTopic('no-acks');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ acks: 0 });
      const receipts = await Promise.all(
        ['a', 'b', 'c'].map((value) => producer.send({ topic, value, partition: 0 })),
      );
      expect(receipts.map(({ offset }) => offset)).toEqual([-1, -1, -1]);
      // The connection carries requests in order: once this one is answered, those are written.
      await producer.close();
      const other = kafka.producer({ acks: 'all' });
      await other.send({ topic, value: 'last', partition: 1 });
      await expect
        .poll(async () => textsOf(await setup.cluster.readAll(topic), 0), { timeout: 10_000 })
        .toEqual(['a', 'b', 'c']);
    });

    test('idempotence can be left off', async () => {
      const topic = uniqueTopic('not-idempotent');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ enableIdempotence: false, batchSize: 100, lingerMs: 0 });
      const values = Array.from({ length: 200 }, (_, i) => `v${i}`);
      await Promise.all(values.map((value) => producer.send({ topic, value, partition: 0 })));
      const stored = await setup.cluster.readAll(topic);
      expect(texts(stored)).toEqual(values);
      expect(new Set(stored.map(({ producerId }) => producerId))).toEqual(new Set([-1]));
    });
  });

  describe('idempotence', () => {
    if (hasIdempotence) {
      test('numbers the batches of each partition without a gap', async () => {
        const topic = uniqueTopic('numbered');
        await setup.cluster.createTopic(topic);
        await using kafka = setup.connect();
        const producer = kafka.producer({ batchSize: 500, lingerMs: 0 });
        const send = (i: number) => producer.send({ topic, value: `value ${i}`, partition: i % 2 });
        await Promise.all([send(0), send(1)]);
        await Promise.all(Array.from({ length: 500 }, (_, i) => send(i)));
        const stored = await setup.cluster.readAll(topic);
        expect(new Set(stored.map(({ producerId }) => producerId)).size).toBe(1);
        expect(stored[0]!.producerId).toBeGreaterThanOrEqual(0);
        for (const partition of [0, 1]) {
          const own = stored.filter((record) => record.partition === partition);
          const firsts = own.filter((r, i) => r.baseSequence !== own[i - 1]?.baseSequence);
          expect(firsts.length).toBeGreaterThan(1);
          for (const { baseSequence, offset } of firsts) expect(baseSequence).toBe(offset);
        }
      });
    } else {
      test('is foregone with a warning where the broker has none, and records are sent', async () => {
        const topic = uniqueTopic('foregone');
        await setup.cluster.createTopic(topic);
        await using kafka = setup.connect();
        const events: LifecycleEvent[] = [];
        kafka.lifecycle.subscribe((event) => events.push(event));
        const receipt = await kafka.producer().send({ topic, value: 'v', partition: 0 });
        expect(receipt.offset).toBe(0);
        const warnings = events.filter(({ type }) => type === 'warning');
        expect(warnings).toMatchObject([{ code: 'IDEMPOTENCE_FOREGONE' }]);
      });

      test('is an error where it was asked for and the broker has none', async () => {
        const topic = uniqueTopic('insisted');
        await setup.cluster.createTopic(topic);
        await using kafka = setup.connect();
        const producer = kafka.producer({ enableIdempotence: true });
        const sent = producer.send({ topic, value: 'v', partition: 0 });
        await expect(sent).rejects.toThrow(UnsupportedVersionError);
        expect(await setup.cluster.readAll(topic)).toEqual([]);
      });
    }
  });

  describe('topics', () => {
    test('one that does not exist is created when the broker allows it', async () => {
      const topic = uniqueTopic('automatic');
      await using kafka = setup.connect();
      const receipt = await kafka.producer().send({ topic, value: 'v' });
      expect(receipt.offset).toBe(0);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['v']);
    });

    test.runIf(hasTopicRequests)(
      'one that does not exist, and may not be created, is named in the error',
      async () => {
        const topic = uniqueTopic('absent');
        // Brokers before 0.11 can't be asked not to create it.
        if (!hasIdempotence) return;
        await using kafka = setup.connect({ allowAutoCreateTopics: false });
        const sent = kafka.producer({ maxBlockMs: 500 }).send({ topic, value: 'v' });
        await expect(sent).rejects.toThrow(TimeoutError);
        await expect(sent).rejects.toThrow(new RegExp(`${topic}.*UNKNOWN_TOPIC_OR_PARTITION`));
      },
    );

    test.runIf(canAddPartitions)('a partition that was added while sending is found', async () => {
      const topic = uniqueTopic('grown');
      await setup.cluster.createTopic(topic, { partitions: 1 });
      await using kafka = setup.connect();
      const producer = kafka.producer();
      await producer.send({ topic, value: 'before', partition: 0 });
      await setup.cluster.addPartitions(topic, 3);
      const receipt = await producer.send({ topic, value: 'after', partition: 2 });
      expect(receipt).toMatchObject({ partition: 2, offset: 0 });
      const stored = await setup.cluster.readAll(topic);
      expect([textsOf(stored, 0), textsOf(stored, 2)]).toEqual([['before'], ['after']]);
    });

    test.runIf(hasTopicRequests)(
      'one that was deleted and made anew while sending is written to again',
      async () => {
        const topic = uniqueTopic('reborn');
        await setup.cluster.createTopic(topic);
        await using kafka = setup.connect();
        const producer = kafka.producer();
        await producer.send({ topic, value: 'first life', partition: 0 });
        await setup.cluster.deleteTopic(topic);
        await expect
          .poll(() => setup.cluster.createTopic(topic).then(() => 'made', String), {
            timeout: 20_000,
          })
          .toBe('made');
        const receipt = await producer.send({ topic, value: 'second life', partition: 0 });
        expect(receipt.offset).toBe(0);
        expect(texts(await setup.cluster.readAll(topic))).toEqual(['second life']);
      },
    );
  });

  describe('too large', () => {
    test('a record beyond maxRequestSize is refused here, by itself', async () => {
      const topic = uniqueTopic('too-large-here');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ maxRequestSize: 10_000 });
      const outcomes = await Promise.allSettled(
        ['a', 'x'.repeat(10_001), 'b'].map((value) =>
          producer.send({ topic, value, partition: 0 }),
        ),
      );
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { reason: { code: 'RECORD_TOO_LARGE', context: { topic } } },
        { status: 'fulfilled' },
      ]);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    });

    test('a record beyond what the broker takes is refused there, by itself', async () => {
      const topic = uniqueTopic('too-large-there');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ maxRequestSize: 8_000_000 });
      const values = ['a', 'b', randomBytes(1_500_000), 'c', 'd'];
      const outcomes = await Promise.allSettled(
        values.map((value) => producer.send({ topic, value, partition: 0 })),
      );
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
        'fulfilled',
      ]);
      const reason = reasonOf(outcomes[2]);
      expect(reason).toMatchObject({
        code: 'MESSAGE_TOO_LARGE',
        context: { topic, partition: 0 },
      });
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b', 'c', 'd']);
    });

    test('a batch beyond what the broker takes is split, and keeps its order', async () => {
      const topic = uniqueTopic('split');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({
        maxRequestSize: 8_000_000,
        bufferMemory: 64_000_000,
        batchSize: 4_000_000,
        lingerMs: 1000,
        compressionType: 'gzip',
      });
      const keys = Array.from({ length: 150 }, (_, i) => `key ${i}`);
      const sends = keys.map((key) =>
        producer.send({ topic, key, value: randomBytes(10_000), partition: 0 }),
      );
      await producer.flush();
      const offsets = (await Promise.all(sends)).map(({ offset }) => offset);
      expect(offsets).toEqual(keys.map((_, i) => i));
      const stored = await setup.cluster.readAll(topic);
      expect(stored.map(({ key }) => String(key))).toEqual(keys);
    });
  });

  test.runIf(hasTimestampLimits)(
    'a record that the topic finds too old is refused by itself',
    async () => {
      const topic = uniqueTopic('too-old');
      const limit = 3_600_000;
      await setup.cluster.createTopic(topic, {
        config: { 'message.timestamp.before.max.ms': limit },
      });
      await using kafka = setup.connect();
      const producer = kafka.producer({ lingerMs: 20 });
      const old = Date.now() - 2 * limit;
      const outcomes = await Promise.allSettled([
        producer.send({ topic, value: 'a', partition: 0 }),
        producer.send({ topic, value: 'old', partition: 0, timestamp: old }),
        producer.send({ topic, value: 'b', partition: 0 }),
      ]);
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { reason: { code: 'INVALID_TIMESTAMP', context: { topic, partition: 0 } } },
        { status: 'fulfilled' },
      ]);
      expect(texts(await setup.cluster.readAll(topic))).toEqual(['a', 'b']);
    },
  );
}
