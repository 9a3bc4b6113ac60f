import { from, lastValueFrom, Subject, toArray } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BufferPool } from '../../../src/core/producer/buffer-pool.js';
import { TimeoutError, toTopic, type KafkaError } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';

function codes(outcomes: readonly PromiseSettledResult<unknown>[]): string[] {
  return outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? 'written' : (outcome.reason as KafkaError).code,
  );
}

describe('send() beyond bufferMemory', () => {
  const small = { bufferMemory: 2000, batchSize: 200, lingerMs: 0 };
  const value = 'x'.repeat(100);

  it('waits for room, in the order of the calls', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer(small);
    sim.cluster.delay('Produce', 100);
    const sends = Array.from({ length: 50 }, (_, i) =>
      producer.send({ topic: TOPIC, value: `${i} ${value}` }),
    );
    expect(producer.metrics()['producer-metrics']!['waiting-threads']).toBeGreaterThan(40);
    const receipts = await sim.run(Promise.all(sends));
    expect(receipts.map(({ offset }) => offset)).toEqual(sends.map((_, i) => i));
  });

  it('fails after maxBlockMs, naming it, and what comes after has its own time', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ ...small, maxBlockMs: 3000 });
    await sim.run(producer.partitionsFor(TOPIC));
    sim.cluster.delay('Produce', 10_000);
    const start = sim.clock.monotonic();
    const held = Array.from({ length: 4 }, () => producer.send({ topic: TOPIC, value }));
    const blocked = rejectionOf(producer.send({ topic: TOPIC, value }));
    await sim.advance(2000);
    const later = producer.send({ topic: TOPIC, value });
    const error = await sim.run(blocked);
    expect(sim.clock.monotonic() - start).toBe(3000);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'BUFFER_EXHAUSTED', context: { topic: TOPIC } });
    expect((error as Error).message).toMatch(/maxBlockMs \(3000 ms\)/);
    expect(await sim.run(rejectionOf(later))).toMatchObject({ code: 'BUFFER_EXHAUSTED' });
    expect(sim.clock.monotonic() - start).toBe(5000);
    await sim.run(Promise.all(held));
  });

  it('fails at once where maxBlockedSends wait already, and those that wait are written', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ ...small, maxBlockedSends: 3 });
    await sim.run(producer.partitionsFor(TOPIC));
    sim.cluster.delay('Produce', 1000);
    const sends = Array.from({ length: 10 }, () => producer.send({ topic: TOPIC, value }));
    const outcomes = await sim.run(Promise.allSettled(sends));
    const refused = codes(outcomes).indexOf('TOO_MANY_BLOCKED_SENDS');
    expect(codes(outcomes)).toEqual([
      ...Array.from({ length: refused }, () => 'written'),
      ...Array.from({ length: 10 - refused }, () => 'TOO_MANY_BLOCKED_SENDS'),
    ]);
    expect(refused).toBeLessThan(9);
    expect(sim.cluster.records(TOPIC)).toHaveLength(refused);
  });

  it('fails alone where its record throws as it is looked at, and keeps nobody else', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer(small);
    const unreadable = {
      get topic(): string {
        throw new Error('no topic for you');
      },
      value,
    };
    const held = Array.from({ length: 6 }, () => producer.send({ topic: TOPIC, value }));
    const spoilt = rejectionOf(producer.send(unreadable));
    const last = producer.send({ topic: TOPIC, value });
    await sim.run(Promise.all([...held, last]));
    for (const error of [await spoilt, await rejectionOf(producer.send(unreadable))]) {
      expect(error).toMatchObject({ code: 'INVALID_RECORD_INPUT' });
      expect((error as Error).message).toMatch(/can't be read: no topic for you/);
    }
  });

  it('makes one error for all that it refuses in a row, and another after there was room', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ ...small, maxBlockedSends: 3 });
    await sim.run(producer.partitionsFor(TOPIC));
    const refusals = async () => {
      sim.cluster.delay('Produce', 1000);
      const sends = Array.from({ length: 30 }, () => producer.send({ topic: TOPIC, value }));
      const outcomes = await sim.run(Promise.allSettled(sends));
      return outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
    };
    const [first, second] = [await refusals(), await refusals()];
    expect(first.length).toBeGreaterThan(10);
    expect(new Set(first).size).toBe(1);
    expect(new Set(second).size).toBe(1);
    expect(second[0]).not.toBe(first[0]);
    expect(first[0]).toMatchObject({ code: 'TOO_MANY_BLOCKED_SENDS' });
  });
});

describe('acks 0', () => {
  it('is bounded by the socket: what is not taken waits in the buffer, and nothing is lost', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const transport = congestible(sim.cluster.transport);
    const producer = sim.kafka({ transport }).producer({
      acks: 0,
      maxRequestSize: 4096,
      maxInFlightRequestsPerConnection: 2,
      bufferMemory: 100_000,
      lingerMs: 0,
    });
    await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    transport.isCongested = true;
    const sends = Array.from({ length: 300 }, (_, i) =>
      producer.send({ topic: TOPIC, value: `${i} ${'x'.repeat(1000)}` }),
    );
    await sim.advance(1000);
    // Two requests of 4 KiB may be queued; the request that crosses the mark is the last.
    expect(transport.queuedBytes).toBeGreaterThan(4096);
    expect(transport.queuedBytes).toBeLessThan(3 * 4096 + 500);
    expect(producer.metrics()['producer-metrics']!['waiting-threads']).toBeGreaterThan(200);
    transport.isCongested = false;
    await sim.run(Promise.all(sends));
    await sim.calm();
    expect(sim.cluster.records(TOPIC).map(({ value }) => String(value).split(' ')[0])).toEqual([
      'first',
      ...sends.map((_, i) => `${i}`),
    ]);
  });
});

type SimTransport = Simulation['cluster']['transport'];

/** A transport whose connections hold back what is written, as a full socket does, for as long as told. */
function congestible(transport: SimTransport) {
  let held: (() => void)[] = [];
  let isCongested = false;
  const state = {
    queuedBytes: 0,
    get isCongested() {
      return isCongested;
    },
    set isCongested(now: boolean) {
      isCongested = now;
      if (now) return;
      for (const write of held) write();
      held = [];
      state.queuedBytes = 0;
    },
    open(...[address, events, options]: Parameters<SimTransport['open']>) {
      const link = transport.open(address, events, options);
      return {
        get queuedBytes() {
          return state.queuedBytes;
        },
        write(chunks: readonly Uint8Array[]) {
          if (!isCongested) {
            link.write(chunks);
            return;
          }
          state.queuedBytes += chunks.reduce((sum, { length }) => sum + length, 0);
          const copies = chunks.map((chunk) => Uint8Array.from(chunk));
          held.push(() => link.write(copies));
        },
        destroy: (error?: Error) => link.destroy(error),
      };
    },
  };
  return state;
}

describe('drop-oldest', () => {
  it('gives up the batch that is oldest over all partitions', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 3 } });
    const producer = sim.kafka().producer({
      bufferMemory: 6000,
      batchSize: 10_000,
      lingerMs: 1000,
      deliveryTimeoutMs: 200_000,
    });
    await sim.run(
      Promise.all(
        [0, 1, 2].map((partition) => producer.send({ topic: TOPIC, partition, value: 'warm' })),
      ),
    );
    // Batches begin on partition 2, then 0, then 1; the fourth of each kind finds no room.
    const order = [2, 0, 1];
    const records = Array.from({ length: 15 }, (_, i) => ({
      partition: order[i % 3]!,
      value: `${i} ${'x'.repeat(200)}`,
    }));
    sim.cluster.delay('Produce', 10_000);
    const receipts = await sim.run(
      lastValueFrom(
        from(records).pipe(toTopic(producer, TOPIC, { overflow: 'drop-oldest' }), toArray()),
      ),
    );
    const dropped = sim.eventsOf('dropped');
    expect(dropped.length).toBeGreaterThan(0);
    expect(dropped[0]!.partition).toBe(2);
    expect(dropped.map(({ partition }) => partition)).toEqual(dropped.map((_, i) => order[i % 3]!));
    const lost = dropped.reduce((sum, each) => sum + each.records, 0);
    expect(receipts.length + lost).toBe(records.length);
  });
});

describe('drop-oldest while it is not known where a topic is', () => {
  it('gives up the oldest records, one by one', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ bufferMemory: 2000 });
    const records = Array.from({ length: 10 }, (_, i) => ({ value: `${i} ${'x'.repeat(200)}` }));
    const receipts = await sim.run(
      lastValueFrom(
        from(records).pipe(toTopic(producer, TOPIC, { overflow: 'drop-oldest' }), toArray()),
      ),
    );
    const dropped = sim.eventsOf('dropped');
    expect(dropped.length).toBe(records.length - receipts.length);
    expect(dropped.length).toBeGreaterThan(0);
    expect(receipts.map(({ origin }) => origin)).toEqual(records.slice(dropped.length));
  });
});

describe('memory of batches', () => {
  it('serves what is pushed when receipts come, also while the buffer is as good as full', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 3 } });
    const producer = sim.kafka().producer({ bufferMemory: 90_000, batchSize: 1000 });
    await sim.run(producer.partitionsFor(TOPIC));
    const take = vi.spyOn(BufferPool.prototype, 'take');
    onTestFinished(() => take.mockRestore());
    const records = new Subject<{ key: string; value: string }>();
    let pushed = 0;
    const push = () => records.next({ key: `key ${pushed++ % 7}`, value: 'x'.repeat(100) });
    // Each takes about 1,140 bytes, with what is kept of it.
    const mostOpen = 75;
    let open = mostOpen;
    records.pipe(toTopic(producer, TOPIC)).subscribe(() => {
      open--;
      if (pushed === 5000) return;
      open++;
      push();
    });
    for (let i = 0; i < mostOpen; i++) push();
    await sim.until(() => open === 0);
    const taken = take.mock.results.map(({ value }) => value as Buffer);
    expect(taken.length).toBeGreaterThan(200);
    expect(new Set(taken).size).toBeLessThan(30);
  });
});

describe('DELIVERY_TIMED_OUT', () => {
  const hasty = { deliveryTimeoutMs: 5000, requestTimeoutMs: 1000, lingerMs: 0 };

  it('comes in time also for what waits to be repeated behind a younger batch on its way', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const patient = { deliveryTimeoutMs: 10_000, requestTimeoutMs: 9000, lingerMs: 0 };
    const producer = sim.kafka().producer(patient);
    const send = (value: string) => producer.send({ topic: TOPIC, value });
    await sim.run(send('warm'));
    const undo = sim.cluster.delay('Produce', 5000);
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS');
    const begin = sim.clock.monotonic();
    const older = rejectionOf(send('a'));
    await sim.advance(4000);
    undo();
    sim.cluster.delay('Produce', 60_000);
    const younger = rejectionOf(send('b'));
    await sim.until(() => sim.eventsOf('retried').length === 1);
    expect(await sim.run(older)).toMatchObject({ code: 'DELIVERY_TIMED_OUT', mayBeWritten: false });
    expect(sim.clock.monotonic() - begin).toBe(10_000);
    expect(await sim.run(younger)).toMatchObject({ code: 'DELIVERY_TIMED_OUT' });
    expect(sim.clock.monotonic() - begin).toBe(14_000);
  });

  it('names the error of the last attempt', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer(hasty);
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 1000);
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toMatchObject({
      code: 'DELIVERY_TIMED_OUT',
      cause: { code: 'NOT_ENOUGH_REPLICAS' },
    });
    expect((error as Error).message).toMatch(/sent \d+ times, and the last error was NOT_ENOUGH/);
  });

  it('names the answer that did not come', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka({ requestTimeoutMs: 1000 }).producer(hasty);
    sim.cluster.delay('Produce', 100_000);
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect((error as Error).message).toMatch(/did not answer Produce@\d+ within 1000 ms/);
  });

  it('names what is in the way of a batch that was never sent', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer(hasty);
    sim.cluster.failNext('InitProducerId', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toMatchObject({ code: 'DELIVERY_TIMED_OUT' });
    expect((error as Error).message).toMatch(/never sent.*COORDINATOR_LOAD_IN_PROGRESS/);
  });

  it('names the broker that can not be reached', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer(hasty);
    await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    await sim.cluster.stop(1);
    await sim.advance(10);
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toMatchObject({ code: 'DELIVERY_TIMED_OUT', cause: { isRetriable: true } });
    expect((error as Error).message).toMatch(/never sent.*CONNECTION_FAILED: /);
  });
});
