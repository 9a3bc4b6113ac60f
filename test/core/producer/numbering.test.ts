import { describe, expect, it } from 'vitest';
import type { Kafka, KafkaError, Producer, ProducerOptions } from '../../../src/index.js';
import { brokerErrors } from '../../../src/core/protocol/index.js';
import { readBatches } from '../../../src/core/records/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
/** Every record is a batch, so that several of a partition are on the way. */
const apart: ProducerOptions = { batchSize: 1, lingerMs: 0, maxRequestSize: 4000 };

function stored(sim: Simulation): string[] {
  return sim.cluster.records(TOPIC).map(({ value }) => String(value));
}

/** Notes under which ids and epochs batches come, each once. */
function identities(sim: Simulation): string[] {
  const seen: string[] = [];
  sim.cluster.intercept('Produce', ({ body }) => {
    for (const { partitionData } of body.topicData) {
      for (const { records } of partitionData) {
        const { producerId, producerEpoch } = readBatches(records!)[0]!;
        const identity = `${producerId}@${producerEpoch}`;
        if (!seen.includes(identity)) seen.push(identity);
      }
    }
    return undefined;
  });
  return seen;
}

function reasons(sim: Simulation): Set<string> {
  return new Set(sim.eventsOf('retried').map(({ reason }) => reason));
}

/** Sends records that each fill a request, in a row. */
function sendAll(producer: Producer, ...values: string[]) {
  return values.map((value) =>
    producer.send({ topic: TOPIC, value, headers: { filling: 'x'.repeat(1500) } }),
  );
}

async function deleteRecords(sim: Simulation, kafka: Kafka, offset: number): Promise<void> {
  await sim.run(
    kafka.request('DeleteRecords', {
      topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset }] }],
      timeoutMs: 1000,
    }),
  );
}

describe('a broker that has a batch already (DUPLICATE_SEQUENCE_NUMBER)', () => {
  it('has acknowledged it, though not where, and what follows goes on', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const seen = identities(sim);
    const producer = sim.kafka({ requestTimeoutMs: 1000 }).producer({
      ...apart,
      requestTimeoutMs: 1000,
    });
    await sim.run(Promise.all(sendAll(producer, 'a')));
    sim.cluster.drop('Produce', 1, { when: 'after' });
    const [inDoubt] = sendAll(producer, 'b');
    await sim.until(() => stored(sim).length === 2);
    sim.cluster.failNext('Produce', 'DUPLICATE_SEQUENCE_NUMBER');
    const receipt = await sim.run(inDoubt!);
    expect(receipt).toMatchObject({ offset: -1 });
    const after = await sim.run(Promise.all(sendAll(producer, 'c', 'd')));
    expect(after.map(({ offset }) => offset)).toEqual([2, 3]);
    expect(stored(sim)).toEqual(['a', 'b', 'c', 'd']);
    expect(seen).toHaveLength(1);
  });
});

describe('a batch that is out of order (OUT_OF_ORDER_SEQUENCE_NUMBER)', () => {
  it('because one before it was refused waits its turn, under the same epoch', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const seen = identities(sim);
    const producer = sim.kafka().producer(apart);
    await sim.run(Promise.all(sendAll(producer, 'warm')));
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS');
    const receipts = await sim.run(Promise.all(sendAll(producer, 'a', 'b', 'c', 'd')));
    expect(receipts.map(({ offset }) => offset)).toEqual([1, 2, 3, 4]);
    expect(stored(sim)).toEqual(['warm', 'a', 'b', 'c', 'd']);
    expect(reasons(sim)).toEqual(new Set(['NOT_ENOUGH_REPLICAS', 'OUT_OF_ORDER_SEQUENCE_NUMBER']));
    expect(seen).toHaveLength(1);
  });

  it('because its predecessors were lost begins a new epoch, and those on the way with it follow', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const seen = identities(sim);
    const producer = sim.kafka().producer(apart);
    for (const value of ['a', 'b', 'c']) await sim.run(Promise.all(sendAll(producer, value)));
    sim.cluster.truncate(TOPIC, 0, 1);
    await sim.run(Promise.all(sendAll(producer, 'd', 'e', 'f', 'g')));
    expect(stored(sim)).toEqual(['a', 'd', 'e', 'f', 'g']);
    expect(seen).toHaveLength(2);
  });
});

describe('a broker that has forgotten the producer (UNKNOWN_PRODUCER_ID)', () => {
  it.each(['1.0', '1.1'] as const)(
    'with its deleted records gets everything once and in order (Kafka %s)',
    async (version) => {
      await using sim = await Simulation.start({ topics: { [TOPIC]: 1 }, version });
      const kafka = sim.kafka();
      const producer = kafka.producer(apart);
      for (const value of ['a', 'b']) await sim.run(Promise.all(sendAll(producer, value)));
      await deleteRecords(sim, kafka, 2);
      const receipts = await sim.run(Promise.all(sendAll(producer, 'c', 'd', 'e')));
      expect(receipts.map(({ offset }) => offset)).toEqual([2, 3, 4]);
      expect(stored(sim)).toEqual(['c', 'd', 'e']);
      expect(reasons(sim)).toContain('UNKNOWN_PRODUCER_ID');
      await sim.run(Promise.all(sendAll(producer, 'f')));
      expect(stored(sim).at(-1)).toBe('f');
    },
  );

  it('and does not say where its log starts is asked again, under the same numbers', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const seen = identities(sim);
    const producer = sim.kafka().producer(apart);
    await sim.run(Promise.all(sendAll(producer, 'a')));
    let left = 2;
    sim.cluster.intercept('Produce', ({ body }) => {
      if (left-- <= 0) return undefined;
      const refusal = { index: 0, errorCode: 59, baseOffset: -1, logStartOffset: -1 };
      return {
        responses: body.topicData.map(({ name, topicId }) => ({
          name,
          topicId,
          partitionResponses: [refusal],
        })),
      };
    });
    await sim.run(Promise.all(sendAll(producer, 'b', 'c')));
    expect(stored(sim)).toEqual(['a', 'b', 'c']);
    expect(seen).toHaveLength(1);
    expect(reasons(sim)).toContain('UNKNOWN_PRODUCER_ID');
  });
});

describe('a batch that was given up while its outcome was unknown', () => {
  it.each([
    ['was written after all', 'after', ['warm', 'a', 'b', 'c']],
    ['was not written', 'before', ['warm', 'b', 'c']],
  ] as const)('and %s holds what follows until that is settled', async (_, when, log) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka({ requestTimeoutMs: 1000 }).producer({
      ...apart,
      requestTimeoutMs: 1000,
      deliveryTimeoutMs: 3000,
    });
    await sim.run(Promise.all(sendAll(producer, 'warm')));
    const undo = sim.cluster.drop('Produce', 1000, { when });
    const [given] = sendAll(producer, 'a').map((sent) => sent.catch((e: unknown) => e));
    await sim.advance(2000);
    const following = sendAll(producer, 'b', 'c');
    const error = (await sim.run(given!)) as KafkaError;
    undo();
    expect(error).toMatchObject({ code: 'DELIVERY_TIMED_OUT' });
    expect(error.message).toMatch(/may have been written/);
    await sim.run(Promise.all(following));
    expect(stored(sim)).toEqual(log);
  });
});

describe('a batch that failed in a way that its broker can not tell', () => {
  it.each(['UNKNOWN_SERVER_ERROR', 'KAFKA_STORAGE_ERROR'])(
    'may be in the log (%s), and its numbers go to no other records',
    async (name) => {
      await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
      const producer = sim.kafka().producer({ ...apart, retries: 1 });
      await sim.run(Promise.all(sendAll(producer, 'warm')));
      const { code: errorCode } = brokerErrors.find((error) => error.name === name)!;
      let isWritten = false;
      const undo = sim.cluster.intercept('Produce', ({ body }) => {
        const [{ name: topic, topicId, partitionData }] = body.topicData as [
          (typeof body.topicData)[number],
        ];
        if (!isWritten) sim.cluster.append(TOPIC, 0, partitionData[0]!.records!);
        isWritten = true;
        const refusal = { index: 0, errorCode, baseOffset: -1, logStartOffset: -1 };
        return { responses: [{ name: topic, topicId, partitionResponses: [refusal] }] };
      });
      const error = await sim.run(rejectionOf(sendAll(producer, 'a')[0]!));
      undo();
      await sim.run(Promise.all(sendAll(producer, 'b', 'c')));
      expect(stored(sim)).toEqual(['warm', 'a', 'b', 'c']);
      expect(error).toMatchObject({ code: name, mayBeWritten: true });
    },
  );
});

describe('epochs that are used up', () => {
  it('lead to another producer id; nothing is lost, doubled or out of order', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const seen = identities(sim);
    let isFirst = true;
    sim.cluster.intercept('InitProducerId', () => {
      if (!isFirst) return undefined;
      isFirst = false;
      return { errorCode: 0, producerId: 4711, producerEpoch: 0x7fff };
    });
    const producer = sim.kafka().producer(apart);
    for (const value of ['a', 'b', 'c']) await sim.run(Promise.all(sendAll(producer, value)));
    sim.cluster.truncate(TOPIC, 0, 1);
    await sim.run(Promise.all(sendAll(producer, 'd', 'e', 'f')));
    expect(stored(sim)).toEqual(['a', 'd', 'e', 'f']);
    expect(seen[0]).toBe('4711@32767');
    expect(seen).toHaveLength(2);
    expect(seen[1]).toMatch(/@0$/);
    expect(sim.cluster.inspect().requests['InitProducerId']).toBe(2);
  });
});
