import { describe, expect, it } from 'vitest';
import { partitionForKey } from '../../../src/core/records/index.js';
import {
  AuthorizationError,
  SerializationError,
  TimeoutError,
  UnsupportedVersionError,
  type KafkaError,
} from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const MINUTE = 60_000;

function values(sim: Simulation, partition?: number): string[] {
  return sim.cluster.records(TOPIC, partition).map(({ value }) => String(value));
}

function requests(sim: Simulation, api: string): number {
  return sim.cluster.inspect().requests[api] ?? 0;
}

describe('sending', () => {
  it('connects nothing before the first record', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    sim.kafka().producer();
    await sim.advance(MINUTE);
    expect(sim.cluster.inspect().requests).toEqual({});
  });

  it('keeps key, value, headers in order, and time', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    const headers = [
      ['a', '1'],
      ['b', null],
      ['a', Buffer.from('2')],
    ] as const;
    const receipt = await sim.run(
      producer.send({ topic: TOPIC, key: 'k', value: 'v', headers, timestamp: 1234 }),
    );
    expect(receipt).toEqual({
      topic: TOPIC,
      partition: 0,
      offset: 0,
      timestamp: 1234,
      origin: undefined,
    });
    const [stored] = sim.cluster.records(TOPIC);
    expect(stored).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      timestamp: 1234,
    });
    expect(stored!.headers.map(([name, value]) => [name, value?.toString() ?? null])).toEqual([
      ['a', '1'],
      ['b', null],
      ['a', '2'],
    ]);
  });

  it('writes null values and null keys as such', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    await sim.run(producer.send({ topic: TOPIC, key: null, value: null }));
    expect(sim.cluster.records(TOPIC)[0]).toMatchObject({ key: null, value: null });
  });

  it('tells the time that a topic with LogAppendTime gave', async () => {
    const configs = { 'message.timestamp.type': 'LogAppendTime' };
    await using sim = await Simulation.start({ topics: { [TOPIC]: { partitions: 1, configs } } });
    const producer = sim.kafka().producer();
    const receipt = await sim.run(producer.send({ topic: TOPIC, value: 'v', timestamp: 1 }));
    expect(receipt.timestamp).toBe(sim.clock.now());
  });

  it('lingers, so that records travel together', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 50 });
    await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    const before = requests(sim, 'Produce');
    const sends = Array.from({ length: 20 }, (_, i) =>
      producer.send({ topic: TOPIC, value: `${i}` }),
    );
    const start = sim.clock.monotonic();
    await sim.run(Promise.all(sends));
    expect(sim.clock.monotonic() - start).toBe(50);
    expect(requests(sim, 'Produce')).toBe(before + 1);
  });

  it('does not linger for a flush', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: MINUTE, deliveryTimeoutMs: 200_000 });
    const sent = producer.send({ topic: TOPIC, value: 'v' });
    await sim.run(producer.flush());
    expect((await sent).offset).toBe(0);
    expect(sim.clock.monotonic()).toBeLessThan(1000);
  });

  it('does not linger while others wait for room', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 10 } });
    const producer = sim.kafka().producer({
      lingerMs: 30_000,
      deliveryTimeoutMs: MINUTE,
      bufferMemory: 2000,
    });
    const sends = Array.from({ length: 40 }, (_, i) =>
      producer.send({ topic: TOPIC, partition: i % 10, value: 'x'.repeat(100) }),
    );
    await sim.until(() => values(sim).length >= 20);
    expect(sim.clock.monotonic()).toBeLessThan(5000);
    for (const send of sends) send.catch(() => undefined);
  });

  it.each([0, 1] as const)('works with acks %i', async (acks) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ acks });
    const sends = [1, 2, 3].map((i) => producer.send({ topic: TOPIC, value: `${i}` }));
    const receipts = await sim.run(Promise.all(sends));
    await sim.calm();
    expect(receipts.map(({ offset }) => offset)).toEqual(acks === 0 ? [-1, -1, -1] : [0, 1, 2]);
    expect(values(sim)).toEqual(['1', '2', '3']);
    expect(requests(sim, 'InitProducerId')).toBe(0);
  });

  it('with acks 0 learns of a new leader when the old one hangs up', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ acks: 0 });
    await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    await sim.calm();
    sim.cluster.moveLeader(
      TOPIC,
      0,
      sim.cluster.inspect().topics[TOPIC]!.partitions[0]!.leader === 1 ? 2 : 1,
    );
    await sim.run(producer.send({ topic: TOPIC, value: 'lost, as acks 0 allows' }));
    await sim.advance(2000);
    await sim.run(producer.send({ topic: TOPIC, value: 'last' }));
    await sim.calm();
    expect(values(sim)).toContain('last');
  });

  it('follows a leader that a refusal names, without waiting (KIP-951)', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 0, retryBackoffMs: 900 });
    await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    const { leader } = sim.cluster.inspect().topics[TOPIC]!.partitions[0]!;
    sim.cluster.moveLeader(TOPIC, 0, leader === 1 ? 2 : 1);
    const start = sim.clock.monotonic();
    await sim.run(producer.send({ topic: TOPIC, value: 'second' }));
    expect(sim.clock.monotonic() - start).toBeLessThan(100);
    expect(values(sim)).toEqual(['first', 'second']);
  });

  it('stays in use of its topic for as long as it sends', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 0 });
    for (let minute = 0; minute < 12; minute++) {
      await sim.run(producer.send({ topic: TOPIC, value: `${minute}` }));
      await sim.advance(MINUTE);
    }
    const before = requests(sim, 'Metadata');
    await sim.run(producer.send({ topic: TOPIC, value: 'last' }));
    expect(requests(sim, 'Metadata')).toBe(before);
  });

  it('goes on with its numbers after its topic was forgotten', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 0 });
    await sim.run(producer.send({ topic: TOPIC, value: 'a' }));
    await sim.advance(30 * MINUTE);
    await sim.run(producer.send({ topic: TOPIC, value: 'b' }));
    expect(values(sim)).toEqual(['a', 'b']);
    expect(sim.eventsOf('retried')).toEqual([]);
  });

  it('finds partitions that were added meanwhile', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const kafka = sim.kafka();
    const producer = kafka.producer({ lingerMs: 0 });
    await sim.run(producer.send({ topic: TOPIC, value: 'a' }));
    await sim.run(
      kafka.request('CreatePartitions', {
        topics: [{ name: TOPIC, count: 3, assignments: null }],
        timeoutMs: 1000,
        validateOnly: false,
      }),
    );
    const receipt = await sim.run(producer.send({ topic: TOPIC, partition: 2, value: 'b' }));
    expect(receipt.partition).toBe(2);
  });

  it('goes on when its topic is deleted and made anew', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 0 });
    await sim.run(producer.send({ topic: TOPIC, value: 'old' }));
    sim.cluster.deleteTopic(TOPIC);
    const waiting = producer.send({ topic: TOPIC, value: 'new' });
    await sim.advance(500);
    if (!(TOPIC in sim.cluster.inspect().topics)) sim.cluster.createTopic(TOPIC, { partitions: 1 });
    await sim.run(waiting);
    expect(values(sim)).toEqual(['new']);
  });
});

describe('a partition', () => {
  it('is chosen by the hash of the key as Java does', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 7 } });
    const producer = sim.kafka().producer();
    const keys = ['', 'a', 'ab', 'abc', '123456789', 'schlüssel'];
    const receipts = await sim.run(
      Promise.all(keys.map((key) => producer.send({ topic: TOPIC, key, value: 'v' }))),
    );
    expect(receipts.map(({ partition }) => partition)).toEqual(
      keys.map((key) => partitionForKey(Buffer.from(key), 7)),
    );
    expect(partitionForKey(Buffer.from('abc'), 1000)).toBe(107);
  });

  it('without a key sticks for a batch, then is another, all alike in the end', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 4 } });
    const producer = sim.kafka().producer({ batchSize: 1000, lingerMs: 0 });
    const counts = [0, 0, 0, 0];
    let changes = 0;
    let last = -1;
    for (let i = 0; i < 2000; i++) {
      const { partition } = await sim.run(producer.send({ topic: TOPIC, value: 'x'.repeat(100) }));
      counts[partition]!++;
      if (partition !== last) changes++;
      last = partition;
    }
    expect(changes).toBeLessThan(300);
    for (const count of counts) expect(count).toBeGreaterThan(250);
  });

  it('of a custom partitioner is taken, and what it does wrong is that record alone', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 3 } });
    const producer = sim.kafka().producer({
      partitioner: ({ value }) => {
        if (String(value) === 'throw') throw new Error('no idea');
        return Number(String(value));
      },
    });
    const outcomes = await sim.run(
      Promise.allSettled(
        ['2', 'throw', '7', '-1', 'NaN', '0'].map((value) =>
          producer.send({ topic: TOPIC, value }),
        ),
      ),
    );
    const seen = outcomes.map((outcome) =>
      outcome.status === 'fulfilled'
        ? outcome.value.partition
        : (outcome.reason as KafkaError).code,
    );
    expect(seen).toEqual([
      2,
      'INVALID_RECORD_INPUT',
      'INVALID_PARTITION',
      'INVALID_PARTITION',
      'INVALID_PARTITION',
      0,
    ]);
  });

  it('that can not be is refused without asking for the topic again', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
    const producer = sim.kafka().producer();
    await sim.run(producer.send({ topic: TOPIC, value: 'known' }));
    const before = requests(sim, 'Metadata');
    const mistaken = [-1, 0.5, '0', null].map((partition) =>
      rejectionOf(producer.send({ topic: TOPIC, partition: partition as never, value: 'v' })),
    );
    const errors = await sim.run(Promise.all(mistaken));
    expect(errors.map((error) => (error as KafkaError).message)).toEqual([
      expect.stringContaining('no partition -1; it has 0 to 1'),
      expect.stringContaining('no partition 0.5;'),
      expect.stringContaining("no partition '0';"),
      expect.stringContaining('no partition null;'),
    ]);
    expect(requests(sim, 'Metadata')).toBe(before);
  });

  it('is not mixed up by a partitioner that sends records itself', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1, audit: 1 } });
    const producer = sim.kafka().producer({
      partitioner: ({ topic }) => {
        if (topic === TOPIC) void producer.send({ topic: 'audit', value: 'inner' });
        return 0;
      },
    });
    await sim.run(producer.send({ topic: TOPIC, value: 'warm up' }));
    await sim.run(producer.send({ topic: TOPIC, value: 'outer' }));
    await sim.run(producer.flush());
    expect(values(sim)).toEqual(['warm up', 'outer']);
    expect(sim.cluster.records('audit').map(({ value }) => String(value))).toEqual([
      'inner',
      'inner',
    ]);
  });
});

describe('what a broker refuses', () => {
  it('for being too large is sent in parts, without spending a retry (KIP-126)', async () => {
    const configs = { 'max.message.bytes': '500' };
    await using sim = await Simulation.start({ topics: { [TOPIC]: { partitions: 1, configs } } });
    const producer = sim.kafka().producer({ retries: 0, lingerMs: 20, enableIdempotence: false });
    const sends = Array.from({ length: 30 }, (_, i) =>
      producer.send({ topic: TOPIC, value: `${i} ${'x'.repeat(60)}` }),
    );
    const receipts = await sim.run(Promise.all(sends));
    expect(receipts.map(({ offset }) => offset)).toEqual(sends.map((_, i) => i));
    expect(producer.metrics()['producer-metrics']!['batch-split-rate']).toBeGreaterThan(0);
  });

  it.each([
    ['first', [900, 10]],
    ['last', [10, 900]],
  ])('for one record that is too large (the %s) hurts no other', async (_, sizes) => {
    const configs = { 'max.message.bytes': '500' };
    await using sim = await Simulation.start({ topics: { [TOPIC]: { partitions: 1, configs } } });
    const producer = sim.kafka().producer({ lingerMs: 20 });
    const outcomes = await sim.run(
      Promise.allSettled(
        sizes.map((size) => producer.send({ topic: TOPIC, value: 'x'.repeat(size) })),
      ),
    );
    const codes = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 'written' : (outcome.reason as KafkaError).code,
    );
    expect(codes).toEqual(sizes.map((size) => (size > 500 ? 'MESSAGE_TOO_LARGE' : 'written')));
    expect(outcomes[sizes.indexOf(900)]).toMatchObject({
      reason: {
        message: expect.stringMatching(/ 9\d\d bytes; raise max\.message\.bytes/) as string,
      },
    });
    expect(sim.clock.monotonic()).toBeLessThan(5000);
  });

  it('record by record fails those alone, with their own words (KIP-467)', async () => {
    const configs = { 'cleanup.policy': 'compact' };
    await using sim = await Simulation.start({ topics: { [TOPIC]: { partitions: 1, configs } } });
    const producer = sim.kafka().producer({ lingerMs: 20 });
    const outcomes = await sim.run(
      Promise.allSettled([
        producer.send({ topic: TOPIC, key: 'a', value: '1' }),
        producer.send({ topic: TOPIC, value: 'no key' }),
        producer.send({ topic: TOPIC, key: 'c', value: '3' }),
      ]),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'INVALID_RECORD' } });
    expect(values(sim)).toEqual(['1', '3']);
  });

  it('for lack of permission is a typed error', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toBeInstanceOf(AuthorizationError);
  });

  it('because its log was truncated is written under a new epoch', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 0 });
    for (const value of ['a', 'b', 'c']) await sim.run(producer.send({ topic: TOPIC, value }));
    sim.cluster.truncate(TOPIC, 0, 1);
    await sim.run(producer.send({ topic: TOPIC, value: 'd' }));
    await sim.run(producer.send({ topic: TOPIC, value: 'e' }));
    expect(values(sim)).toEqual(['a', 'd', 'e']);
  });
});

describe('idempotence', () => {
  it('is given up with an event on a broker before 0.11', async () => {
    await using sim = await Simulation.start({ version: '0.10.2', topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    await sim.run(producer.send({ topic: TOPIC, value: 'v' }));
    expect(sim.eventsOf('warning').map(({ code }) => code)).toEqual(['IDEMPOTENCE_FOREGONE']);
    expect(values(sim)).toEqual(['v']);
  });

  it('is given up with an event without permission', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    sim.cluster.failNext('InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED', 100);
    const producer = sim.kafka().producer();
    await sim.run(producer.send({ topic: TOPIC, value: 'v' }));
    expect(sim.eventsOf('warning').map(({ code }) => code)).toEqual(['IDEMPOTENCE_FOREGONE']);
  });

  it('asked for explicitly is an error where it can not be had', async () => {
    await using sim = await Simulation.start({ version: '0.10.2', topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ enableIdempotence: true });
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toBeInstanceOf(UnsupportedVersionError);
    const later = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(later).toBe(error);
  });

  it('asked for explicitly is an error without permission, and nothing is written', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    sim.cluster.failNext('InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED', 100);
    const producer = sim.kafka().producer({ enableIdempotence: true });
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toBeInstanceOf(AuthorizationError);
    expect(sim.eventsOf('warning')).toEqual([]);
    expect(values(sim)).toEqual([]);
  });

  const misspelt: object = { linger: 5 };

  it.each([
    [{ enableIdempotence: true, acks: 1 } as const, /acks/],
    [{ enableIdempotence: true, retries: 0 }, /retries/],
    [{ deliveryTimeoutMs: 10 }, /deliveryTimeoutMs.*lingerMs/],
    [{ retryBackoffMs: 5000 }, /retryBackoffMs.*retryBackoffMaxMs/],
    [{ compressionType: 'gzip', compressionLevel: 77 } as const, /compressionLevel/],
    [{ maxInFlightRequestsPerConnection: 6 }, /maxInFlightRequestsPerConnection/],
    [misspelt, /lingerMs/],
  ])('and other options that contradict each other fail at once: %o', async (options, says) => {
    await using sim = await Simulation.start();
    expect(() => sim.kafka().producer(options)).toThrow(says);
  });
});

describe('time and room', () => {
  it('a record fails after deliveryTimeoutMs, which covers linger, retries and what is in flight', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({
      lingerMs: 1000,
      requestTimeoutMs: 4000,
      deliveryTimeoutMs: 10_000,
    });
    sim.cluster.delay('Produce', 100_000);
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'DELIVERY_TIMED_OUT' });
    expect(Math.round(sim.clock.monotonic() / 10)).toBe(1000);
  });

  it('a topic that is not there fails its records after maxBlockMs', async () => {
    await using sim = await Simulation.start({ autoCreateTopicsEnable: false });
    const producer = sim.kafka().producer({ maxBlockMs: 3000 });
    const error = await rejectionOf(sim.run(producer.send({ topic: 'nowhere', value: 'v' })));
    expect(error).toMatchObject({ code: 'METADATA_TIMED_OUT' });
    expect(sim.clock.monotonic()).toBe(3000);
  });

  it('records that wait for metadata count against bufferMemory, also when they are empty', async () => {
    await using sim = await Simulation.start({ autoCreateTopicsEnable: false });
    const producer = sim.kafka().producer({ bufferMemory: 10_000, maxBlockMs: 1000 });
    const sends = Array.from({ length: 1000 }, () =>
      rejectionOf(producer.send({ topic: 'no', value: null })),
    );
    expect(producer.metrics()['producer-metrics']!['waiting-threads']).toBeGreaterThan(700);
    await sim.run(Promise.all(sends));
  });

  it('a serializer that throws fails its record alone', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({
      valueSerializer: (value: number) => {
        if (value === 2) throw new Error('two');
        return `${value}`;
      },
    });
    const outcomes = await sim.run(
      Promise.allSettled([1, 2, 3].map((value) => producer.send({ topic: TOPIC, value }))),
    );
    expect(outcomes[1]).toMatchObject({ reason: expect.any(SerializationError) as unknown });
    expect(values(sim)).toEqual(['1', '3']);
  });
});

describe('closing', () => {
  it('finishes what was sent, then refuses more', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 5000 });
    const sent = producer.send({ topic: TOPIC, value: 'v' });
    let isComplete = false;
    producer.lifecycle.subscribe({ complete: () => (isComplete = true) });
    await sim.run(producer.close());
    expect((await sent).offset).toBe(0);
    expect(isComplete).toBe(true);
    const error = await rejectionOf(producer.send({ topic: TOPIC, value: 'late' }));
    expect(error).toMatchObject({ code: 'PRODUCER_CLOSED' });
  });

  it('gives up after its time what is not acknowledged', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    sim.cluster.delay('Produce', MINUTE);
    const sent = rejectionOf(producer.send({ topic: TOPIC, value: 'v' }));
    await sim.run(producer.close({ timeoutMs: 3000 }));
    expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED' });
    expect(sim.clock.monotonic()).toBe(3000);
  });

  it('with no time at all sends nothing more', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 100 });
    await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    const sent = rejectionOf(producer.send({ topic: TOPIC, value: 'second' }));
    await sim.run(producer.close({ timeoutMs: 0 }));
    expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED' });
    await sim.calm();
    expect(values(sim)).toEqual(['first']);
  });

  it('twice waits for the same end', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    sim.cluster.delay('Produce', 2000);
    const sent = producer.send({ topic: TOPIC, value: 'v' });
    await sim.run(Promise.all([producer.close(), producer.close()]));
    expect((await sent).offset).toBe(0);
  });

  it('leaves no timer behind', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const kafka = sim.kafka();
    const producer = kafka.producer();
    await sim.run(producer.send({ topic: TOPIC, value: 'v' }));
    const unknown = rejectionOf(producer.send({ topic: TOPIC, partition: 9, value: 'v' }));
    await sim.run(kafka.close());
    await unknown;
    await sim.calm();
    expect(sim.clock.pending).toBe(0);
  });
});

describe('a producer tells', () => {
  it('the partitions of a topic', async () => {
    await using sim = await Simulation.start({ brokers: 3, topics: { [TOPIC]: 2 } });
    const partitions = await sim.run(sim.kafka().producer().partitionsFor(TOPIC));
    expect(partitions).toHaveLength(2);
    expect(partitions[1]).toMatchObject({ topic: TOPIC, partition: 1, offlineReplicas: [] });
  });

  it.each([undefined, null, '', 'a b', 7, Symbol('orders')])(
    'at once that there is no topic %s, and goes on with others',
    async (topic) => {
      await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
      const producer = sim.kafka().producer();
      expect(await rejectionOf(producer.partitionsFor(topic as never))).toMatchObject({
        code: 'INVALID_TOPIC_EXCEPTION',
      });
      expect(sim.cluster.inspect().requests).toEqual({});
      expect(await sim.run(producer.partitionsFor(TOPIC))).toHaveLength(2);
    },
  );

  it('its figures, together and by topic', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    await sim.run(
      Promise.all([1, 2, 3].map((i) => producer.send({ topic: TOPIC, value: `${i}` }))),
    );
    const all = producer.metrics();
    expect(all['producer-metrics']).toMatchObject({
      'record-send-total': 3,
      'record-error-total': 0,
    });
    expect(all[`producer-topic-metrics.${TOPIC}`]).toMatchObject({ 'record-send-total': 3 });
  });

  it('each retry, with its reason', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 2);
    await sim.run(producer.send({ topic: TOPIC, value: 'v' }));
    expect(sim.eventsOf('retried').map(({ attempt, reason }) => [attempt, reason])).toEqual([
      [1, 'NOT_ENOUGH_REPLICAS'],
      [2, 'NOT_ENOUGH_REPLICAS'],
    ]);
  });
});
