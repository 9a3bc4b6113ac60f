import { Subject, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Pipeline } from '../../../src/core/consumer/pipeline.js';
import { fromTopics, iterate, type ConsumerRecord } from '../../../src/index.js';
import { committed, membersOf, write } from '../../support/consuming.js';
import { TestPartition, type TestRecord } from '../../support/records.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';
import { fill, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest' } as const;

function start(count = 5): Promise<Simulation> {
  return Simulation.start({ topics: { [TOPIC]: 1 } }).then((sim) => {
    write(sim.cluster, TOPIC, 0, ...upTo(count).map(String));
    return sim;
  });
}

const endOf = (sim: Simulation) => sim.until(() => membersOf(sim.cluster, GROUP) === 0);

describe('for await', () => {
  it('acks a record when the next is asked for, so that the last one of a break stays', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const seen: number[] = [];
    const loop = async () => {
      for await (const record of consumer.iterate(TOPIC)) {
        seen.push(record.offset);
        if (record.offset === 2) break;
      }
    };
    await sim.run(loop());
    await endOf(sim);
    expect(seen).toEqual([0, 1, 2]);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });

  it('leaves the last record unacked when its body throws, and leaves the group', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const loop = async () => {
      for await (const record of consumer.iterate(TOPIC)) {
        if (record.offset === 1) throw new Error('no stock');
      }
    };
    expect(await sim.run(rejectionOf(loop()))).toEqual(new Error('no stock'));
    await endOf(sim);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(1);
  });

  it('acks all that was asked for at once when the next is', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const records = consumer.iterate(TOPIC);
    await sim.run(Promise.all([records.next(), records.next()]));
    await sim.run(records.next());
    await sim.run(records.return!());
    await endOf(sim);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });

  it('begins nothing any more once it was told to end', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const records = consumer.iterate(TOPIC);
    await records.return!();
    expect(await records.next()).toEqual({ done: true, value: undefined });
    await sim.advance(1000);
    expect(consumer.assignment).toEqual([]);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  });

  it('goes on, in the next loop, with what the one before had left', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const seen: number[] = [];
    const loop = async (until: number) => {
      for await (const record of consumer.iterate(TOPIC)) {
        seen.push(record.offset);
        if (record.offset === until) break;
      }
    };
    await sim.run(loop(1));
    await sim.run(loop(4));
    expect(seen).toEqual([0, 1, 1, 2, 3, 4]);
  });

  it('works as slowly as its body does, with no more at hand than the window', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    fill(sim, TOPIC, 0, 200);
    const consumer = sim.kafka().consumer({ ...inGroup, maxUnackedRecords: 10 });
    const seen: number[] = [];
    let most = 0;
    const loop = async () => {
      for await (const record of consumer.iterate(TOPIC)) {
        seen.push(record.offset);
        const unacked = consumer.metrics()['consumer-fetch-manager-metrics.orders-0'];
        most = Math.max(most, unacked?.['records-unacked'] ?? 0);
        await new Promise<void>((resolve) => sim.clock.schedule(10, resolve));
        if (record.offset === 99) break;
      }
    };
    await sim.run(loop());
    expect(seen).toEqual(upTo(100));
    expect(most).toBeLessThanOrEqual(10);
  });

  it('ends when the consumer is drained: what nobody has looked at goes back', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const seen: number[] = [];
    const loop = async () => {
      for await (const record of consumer.iterate(TOPIC)) {
        seen.push(record.offset);
        await new Promise<void>((resolve) => sim.clock.schedule(1000, resolve));
      }
    };
    const looping = loop();
    await sim.until(() => seen.length === 2);
    const report = await sim.run(consumer.drain());
    await sim.run(looping);
    expect(seen).toEqual([0, 1]);
    expect(report).toMatchObject({ recordsFinished: 2, recordsAbandoned: 0 });
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });

  it('throws what ends the stream; what nobody has looked at by then goes back', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer({
      ...inGroup,
      valueDeserializer: (bytes: Buffer) => {
        if (bytes.toString() === '3') throw new Error('can’t be read');
        return Number(bytes.toString());
      },
    });
    const seen: number[] = [];
    const loop = async () => {
      for await (const { value } of consumer.iterate(TOPIC)) seen.push(value);
    };
    expect(await sim.run(rejectionOf(loop()))).toMatchObject({ context: { offset: 3 } });
    expect(seen).toEqual(upTo(seen.length));
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(seen.length);
  });

  it('connects nothing before it is asked for the first', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const iterator = consumer.iterate(TOPIC);
    await sim.advance(5000);
    expect(sim.cluster.inspect().requests).toEqual({});
    await sim.run(iterator.return!());
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(sim.cluster.inspect().requests).toEqual({});
  });

  it('is one member: a second loop at once is refused', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    const first = consumer.iterate(TOPIC);
    await sim.run(first.next());
    await expect(consumer.iterate(TOPIC).next()).rejects.toMatchObject({ code: 'CONSUMER_IN_USE' });
    await sim.run(first.return!());
  });
});

describe('with manual acks', () => {
  it('a body may work on several records at once', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(inGroup);
    let atWork = 0;
    let most = 0;
    const work = async (record: ConsumerRecord) => {
      most = Math.max(most, ++atWork);
      await new Promise<void>((resolve) => sim.clock.schedule(1000, resolve));
      atWork--;
      record.ack();
    };
    const loop = async () => {
      const all: Promise<void>[] = [];
      for await (const record of consumer.iterate(TOPIC, { ack: 'manual' })) {
        all.push(work(record));
        if (record.offset === 4) break;
      }
      await Promise.all(all);
    };
    await sim.run(loop());
    await endOf(sim);
    expect(most).toBe(5);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(5);
  });
});

describe('iterate() over any stream of records', () => {
  it('acks what a source of topics delivers', async () => {
    await using sim = await start();
    const source = fromTopics(sim.kafka(), TOPIC, inGroup);
    const loop = async () => {
      for await (const record of iterate(source)) if (record.offset === 3) break;
    };
    await sim.run(loop());
    await endOf(sim);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(3);
  });

  it('gives back what it holds when it is ended', async () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const iterator = iterate(source);
    const first = iterator.next();
    for (const record of partition.deliver('a', 'b', 'c')) source.next(record);
    expect((await first).value).toMatchObject({ offset: 0 });
    await iterator.return!();
    expect(partition.returned.toSorted()).toEqual([0, 1, 2]);
    expect(source.observed).toBe(false);
  });

  it('gives back what nobody has looked at where the partition is given up, and goes on with others', async () => {
    const pipeline = new Pipeline(new TestPartition().pipeline.host);
    const [p0, p1] = [0, 1].map((partition) => new TestPartition({ partition, pipeline }));
    const source = new Subject<TestRecord>();
    const iterator = iterate(source);
    const first = iterator.next();
    for (const record of [...p0!.deliver('a', 'b', 'c'), ...p1!.deliver('x')]) source.next(record);
    await first;
    p0!.drain();
    expect(p0!.returned).toEqual([1, 2]);
    expect((await iterator.next()).value).toMatchObject({ partition: 1 });
    expect(p0!.committable).toBe(1);
  });

  it('answers several calls of next() in their order', async () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const iterator = iterate(source, { ack: 'manual' });
    const asked = [iterator.next(), iterator.next(), iterator.next()];
    for (const record of partition.deliver('a', 'b')) source.next(record);
    source.complete();
    const answers = await Promise.all(asked);
    expect(
      answers.map(({ done, value }) => (done === true ? 'done' : String(value.value))),
    ).toEqual(['a', 'b', 'done']);
  });

  it('ends everything that waits when it is ended', async () => {
    const iterator = iterate(new Subject<TestRecord>());
    const asked = [iterator.next(), iterator.next()];
    await iterator.return!();
    expect(await Promise.all(asked)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  it('tells of an error once, then it is done', async () => {
    const iterator = iterate(throwError(() => new Error('gone')));
    await expect(iterator.next()).rejects.toThrow('gone');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});
