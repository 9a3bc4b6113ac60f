import { describe, expect, it } from 'vitest';
import { KafkaError, UnsupportedVersionError } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const MINUTE = 60_000;
const record = { topic: TOPIC, value: 'v' };
const start = () => Simulation.start({ topics: { [TOPIC]: 1 } });

describe('a record that is given up as its producer closes', () => {
  it('may have been written where its answer was awaited', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer();
    sim.cluster.delay('Produce', MINUTE);
    const sent = rejectionOf(producer.send(record));
    await sim.run(producer.close({ timeoutMs: 3000 }));
    const context = { topic: TOPIC, partition: 0 };
    expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: true, context });
    expect(String(await sent)).toMatch(/sent once and may have been written/);
    expect(sim.cluster.records(TOPIC)).toHaveLength(1);
  });

  it('may have been written where an answer was lost, and it waited to be sent again', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ retryBackoffMs: MINUTE, retryBackoffMaxMs: MINUTE });
    sim.cluster.drop('Produce', 1, { when: 'after' });
    const sent = rejectionOf(producer.send(record));
    await sim.until(() => sim.cluster.records(TOPIC).length === 1);
    await sim.calm();
    await sim.run(producer.close({ timeoutMs: 0 }));
    expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: true });
  });

  it('was not written where it was never sent', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ lingerMs: 100 });
    await sim.run(producer.send(record));
    const sent = rejectionOf(producer.send(record));
    await sim.run(producer.close({ timeoutMs: 0 }));
    expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: false });
    expect(String(await sent)).toMatch(/never sent/);
    const late = await rejectionOf(producer.send(record));
    expect(late).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: false });
  });

  it('was not written where each attempt was refused', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ retryBackoffMs: MINUTE, retryBackoffMaxMs: MINUTE });
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS');
    const sent = rejectionOf(producer.send(record));
    await sim.until(() => sim.eventsOf('retried').length === 1);
    await sim.run(producer.close({ timeoutMs: 0 }));
    expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: false });
    expect(String(await sent)).toMatch(/sent once(?! and may)/);
  });
});

describe('a record that failed otherwise', () => {
  const hasty = { deliveryTimeoutMs: 5000, requestTimeoutMs: 1000, lingerMs: 0 };

  it('may have been written where an answer did not come within deliveryTimeoutMs', async () => {
    await using sim = await start();
    sim.cluster.delay('Produce', MINUTE);
    const error = await rejectionOf(sim.run(sim.kafka().producer(hasty).send(record)));
    expect(error).toMatchObject({ code: 'DELIVERY_TIMED_OUT', mayBeWritten: true });
  });

  it('was not written where it was refused until deliveryTimeoutMs were over', async () => {
    await using sim = await start();
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 1000);
    const error = await rejectionOf(sim.run(sim.kafka().producer(hasty).send(record)));
    expect(error).toMatchObject({ code: 'DELIVERY_TIMED_OUT', mayBeWritten: false });
  });

  it('may have been written where it was refused after a lost answer', async () => {
    await using sim = await start();
    sim.cluster.drop('Produce', 1, { when: 'after' });
    const sent = rejectionOf(sim.run(sim.kafka().producer(hasty).send(record)));
    sim.cluster.intercept('Produce', () => {
      sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
      return undefined;
    });
    const error = await sent;
    expect(error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED', mayBeWritten: true });
    expect(String(error)).toMatch(/an attempt without an answer may have been written/);
  });

  it('may have been written where it was in a batch that was divided after a lost answer', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ ...hasty, lingerMs: 20, enableIdempotence: false });
    sim.cluster.drop('Produce', 1, { when: 'after' });
    const failed = Promise.all(
      ['a', 'b'].map((value) => rejectionOf(producer.send({ topic: TOPIC, value }))),
    );
    const refusals = ['MESSAGE_TOO_LARGE', 'TOPIC_AUTHORIZATION_FAILED'];
    await sim.until(() => sim.eventsOf('retried').length === 1);
    sim.cluster.intercept('Produce', () => {
      sim.cluster.failNext('Produce', refusals.shift() ?? 'TOPIC_AUTHORIZATION_FAILED');
      return undefined;
    });
    const error = { code: 'TOPIC_AUTHORIZATION_FAILED', mayBeWritten: true };
    expect(await sim.run(failed)).toMatchObject([error, error]);
    expect(sim.cluster.records(TOPIC)).toHaveLength(2);
  });

  it('was not written by its own fault', async () => {
    await using sim = await start();
    const error = await rejectionOf(
      sim.run(sim.kafka().producer().send({ topic: TOPIC, value: 7 })),
    );
    expect(error).toBeInstanceOf(KafkaError);
    expect(error).toMatchObject({ mayBeWritten: false });
  });
});

describe('a record of a partition that moves to a broker that can not be used', () => {
  /** Warm, and ready to move away from broker 1. */
  async function moving() {
    const sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 1 } });
    sim.cluster.moveLeader(TOPIC, 0, 1);
    const producer = sim.kafka({ metadataMaxAgeMs: 500 }).producer({ lingerMs: 0 });
    const send = (value: string) => producer.send({ topic: TOPIC, value });
    await sim.run(send('warm'));
    const move = () => {
      sim.cluster.moveLeader(TOPIC, 0, 2);
      sim.cluster.failNext('ApiVersions', 'CLUSTER_AUTHORIZATION_FAILED', 1, { broker: 2 });
    };
    const stored = () => sim.cluster.records(TOPIC).map(({ value }) => String(value));
    return { sim, send, move, stored, [Symbol.asyncDispose]: () => sim[Symbol.asyncDispose]() };
  }

  it('is acknowledged by the old one, if it was on its way there', async () => {
    await using all = await moving();
    const { sim, send, move, stored } = all;
    sim.cluster.delay('Produce', 3000, { broker: 1 });
    const onItsWay = send('a');
    await sim.until(() => stored().length === 2);
    move();
    await sim.advance(1000);
    expect(await sim.run(rejectionOf(send('b')))).toMatchObject({ mayBeWritten: false });
    expect(await sim.run(onItsWay)).toMatchObject({ offset: 1 });
    await sim.run(send('c'));
    expect(stored()).toEqual(['warm', 'a', 'c']);
  });

  it('may have been written where the answer of the old one was lost', async () => {
    await using all = await moving();
    const { sim, send, move, stored } = all;
    sim.cluster.drop('Produce', 1, { when: 'after' });
    const lost = rejectionOf(send('a'));
    await sim.until(() => stored().length === 2);
    move();
    const error = await sim.run(lost);
    expect(error).toBeInstanceOf(UnsupportedVersionError);
    expect(error).toMatchObject({ mayBeWritten: true, context: { topic: TOPIC, partition: 0 } });
    expect(String(error)).toMatch(/sent once and may have been written/);
    await sim.run(send('b'));
    expect(stored()).toEqual(['warm', 'a', 'b']);
  });
});
