import { describe, expect, it } from 'vitest';
import type { Consumer } from '../../../src/index.js';
import { EmbeddedClient } from '../../support/embedded-client.js';
import { insidesOf } from '../../support/insides.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const where = { topic: TOPIC, partition: 0 };

async function deleteBefore(sim: Simulation, offset: number): Promise<void> {
  const client = new EmbeddedClient(sim.cluster);
  const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset }] }];
  await sim.run(client.request('DeleteRecords', 2, { topics, timeoutMs: 1000 }));
  client.close();
}

/** What begins a new epoch, and the offset that it begins at. */
const causes: readonly [
  string,
  (sim: Simulation, consumer: Consumer) => Promise<void> | void,
  number,
][] = [
  ['a seek', (_, consumer) => consumer.seek(where, { offset: 2 }), 2],
  ['a seek that has to look up where', (_, consumer) => consumer.seek(where, 'beginning'), 0],
  [
    'a truncation',
    (sim) => {
      sim.cluster.truncate(TOPIC, 0, 6);
      fill(sim, TOPIC, 0, 10);
    },
    0,
  ],
  [
    'another topic of that name',
    (sim) => {
      sim.cluster.deleteTopic(TOPIC);
      sim.cluster.createTopic(TOPIC, { partitions: 1 });
      fill(sim, TOPIC, 0, 10);
    },
    0,
  ],
];

async function start() {
  const sim = await Simulation.start({
    brokers: 2,
    autoCreateTopicsEnable: false,
    topics: { [TOPIC]: 1 },
  });
  for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
  const kafka = sim.kafka({ metadataMaxAgeMs: 1000 });
  const consumer = kafka.consumer({
    groupId: GROUP,
    autoOffsetReset: 'earliest',
    enableAutoCommit: false,
  });
  const seen = watch(consumer.records(TOPIC));
  await sim.until(() => seen.values.length === 10);
  const committed = () => sim.cluster.groupOffsets(GROUP)[TOPIC]?.[0]?.offset;
  const dispose = () => sim[Symbol.asyncDispose]();
  return { sim, consumer, seen, committed, [Symbol.asyncDispose]: dispose };
}

describe.each(causes)('a new epoch, begun by %s', (_title, begin, first) => {
  it('counts acks of the one before as nothing', async () => {
    await using run = await start();
    const { sim, consumer, seen, committed } = run;
    const before = [...seen.values];
    await begin(sim, consumer);
    await sim.until(() => seen.values.length > 10);
    for (const record of before) record.ack();
    await sim.run(consumer.commit());
    expect(committed()).toBe(first);
    for (const record of seen.values.slice(10)) record.ack();
    await sim.run(consumer.commit());
    expect(committed()).toBe(seen.values.at(-1)!.offset + 1);
  });

  it('tells work on records of the one before that it is pointless', async () => {
    await using run = await start();
    const { sim, consumer, seen } = run;
    const { signal } = seen.values[0]!;
    expect(signal.aborted).toBe(false);
    await begin(sim, consumer);
    await sim.until(() => seen.values.length > 10);
    expect(signal.aborted).toBe(true);
    expect(seen.values[10]!.signal.aborted).toBe(false);
  });

  it('delivers from where it begins, in order, each once', async () => {
    await using run = await start();
    const { sim, consumer, seen } = run;
    await begin(sim, consumer);
    await sim.until(() => seen.values.length > 10);
    await sim.advance(5000);
    const after = offsetsOf(seen.values.slice(10));
    expect(after).toEqual(upTo(after.length, first));
    const end = sim.cluster.inspect().topics[TOPIC]!.partitions[0]!.logEndOffset;
    expect(after.at(-1)).toBe(end - 1);
  });

  it('gives back the memory of the one before', async () => {
    await using run = await start();
    const { sim, consumer, seen } = run;
    await begin(sim, consumer);
    await sim.until(() => seen.values.length > 10);
    for (const record of seen.values.slice(10)) record.ack();
    await sim.advance(2000);
    for (const record of seen.values.slice(10)) record.ack();
    expect(insidesOf(consumer).run!.budget.heldBytes).toBe(0);
  });
});

describe('a fetch that is on the way when a new epoch begins', () => {
  it('is discarded when it comes, and the offset that was sought is fetched', async () => {
    await using run = await start();
    const { sim, consumer, seen } = run;
    await sim.advance(1000);
    fill(sim, TOPIC, 0, 5);
    sim.cluster.delay('Fetch', 300);
    await sim.until(() => seen.values.length === 15);
    fill(sim, TOPIC, 0, 5);
    await sim.advance(100);
    consumer.seek(where, { offset: 3 });
    await sim.until(() => seen.values.length >= 15 + 17);
    expect(offsetsOf(seen.values.slice(15))).toEqual(upTo(17, 3));
  });

  it('moves neither position nor high watermark of a partition that was lost meanwhile', async () => {
    await using run = await start();
    const { sim, consumer, seen } = run;
    await sim.advance(1000);
    const held = insidesOf(consumer).run!.partitions[0]!;
    sim.cluster.delay('Fetch', 300);
    await sim.advance(1000);
    fill(sim, TOPIC, 0, 5);
    await sim.advance(100);
    await sim.run(consumer.close({ timeoutMs: 0 }));
    await sim.advance(1000);
    expect(seen.values).toHaveLength(10);
    expect(held.fetchOffset).toBe(10);
    expect(held.buffer.sizeBytes).toBe(0);
  });
});

describe('an assignment', () => {
  it('begins an epoch of its own: a partition that went away with a full window comes back with an empty one', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 50);
    const options = {
      groupId: GROUP,
      autoOffsetReset: 'earliest',
      maxUnackedRecords: 5,
      drainTimeoutMs: 500,
      maxBufferedBytes: 4000,
    } as const;
    const first = sim.kafka().consumer(options);
    let isStuck = true;
    const seen = watch(first.records(TOPIC), (record) => {
      if (!isStuck) record.ack();
    });
    await sim.until(() => seen.values.length === 10);
    const second = sim.kafka().consumer(options);
    const other = watch(second.records(TOPIC));
    await sim.until(() => second.assignment.length === 1 && other.values.length === 5);
    await sim.run(second.close({ timeoutMs: 0 }));
    isStuck = false;
    const partition = other.values[0]!.partition;
    await sim.until(() => offsetsOf(seen.values, partition).at(-1) === 49);
    expect(offsetsOf(seen.values, partition)).toEqual([...upTo(5), ...upTo(50)]);
    // The one that stayed is where it was: its window is full of what was never acked.
    expect(offsetsOf(seen.values, 1 - partition)).toEqual(upTo(5));
  });
});

describe('a reset', () => {
  it('begins a new epoch, too', async () => {
    await using run = await start();
    const { sim, consumer, seen, committed } = run;
    for (const record of seen.values) record.ack();
    await sim.run(consumer.commit());
    const { signal } = seen.values[0]!;
    consumer.pause();
    await sim.advance(1000);
    fill(sim, TOPIC, 0, 10);
    await deleteBefore(sim, 15);
    consumer.resume();
    await sim.until(() => seen.values.length === 15);
    expect(offsetsOf(seen.values.slice(10))).toEqual(upTo(5, 15));
    expect(signal.aborted).toBe(true);
    await sim.run(consumer.commit());
    expect(committed()).toBe(15);
  });
});
