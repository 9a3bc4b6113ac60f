import { describe, expect, it } from 'vitest';
import {
  SerializationError,
  type ConsumerOptions,
  type ConsumerRecord,
  type DeserializationFailure,
  type Deserializer,
} from '../../../src/index.js';
import { committed, membersOf, Seen, write } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { offsetsOf } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest' } as const;

async function start(...values: string[]): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
  write(sim.cluster, TOPIC, 0, ...values);
  return sim;
}

function strict(bytes: Buffer): string {
  const text = bytes.toString();
  if (text === 'bad') throw new Error('can’t be read');
  return text;
}

/** A deserializer that takes its time; longer for `slow`. */
function slowly(sim: Simulation, then: (bytes: Buffer) => string = strict) {
  return async (bytes: Buffer): Promise<string> => {
    const ms = bytes.toString() === 'slow' ? 5000 : 10;
    await new Promise<void>((resolve) => sim.clock.schedule(ms, resolve));
    return then(bytes);
  };
}

function subscribe(
  sim: Simulation,
  valueDeserializer: Deserializer<string>,
  options: ConsumerOptions = {},
) {
  const consumer = sim.kafka().consumer({ ...inGroup, ...options, valueDeserializer });
  const seen = new Seen<ConsumerRecord<Buffer | null, string>>(consumer.records(TOPIC));
  const values = () => seen.values.map(({ value }) => value);
  const ackAll = () => {
    for (const record of seen.values) record.ack();
  };
  return { consumer, seen, values, ackAll };
}

/** Synchronous or not, the same has to come of it. */
const kinds: [string, (sim: Simulation) => Deserializer<string>][] = [
  ['at once', () => strict],
  ['later', (sim) => slowly(sim)],
];

describe.each(kinds)('a deserializer that decides %s', (_, make) => {
  it('has its values delivered in order', async () => {
    await using sim = await start('a', 'slow', 'b', 'c');
    const { seen, values } = subscribe(sim, make(sim));
    await sim.until(() => seen.values.length === 4);
    expect(values()).toEqual(['a', 'slow', 'b', 'c']);
  });

  it('never sees what is null', async () => {
    await using sim = await start('a');
    const producer = sim.kafka().producer();
    await sim.run(producer.send({ topic: TOPIC, partition: 0, value: null }));
    const { seen, values } = subscribe(sim, make(sim));
    await sim.until(() => seen.values.length === 2);
    expect(values()).toEqual(['a', null]);
  });

  it('that fails ends the stream with where and why, after what came before', async () => {
    await using sim = await start('a', 'b', 'bad', 'c');
    const { seen, values, ackAll } = subscribe(sim, make(sim));
    await sim.until(() => seen.values.length === 2);
    ackAll();
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeInstanceOf(SerializationError);
    expect(seen.error).toMatchObject({
      code: 'DESERIALIZATION_FAILED',
      context: { topic: TOPIC, partition: 0, offset: 2 },
      cause: new Error('can’t be read'),
    });
    expect(String(seen.error)).toContain(
      'Cannot deserialize the value of the record at orders-0 offset 2: can’t be read',
    );
    expect(values()).toEqual(['a', 'b']);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });

  it('that fails is passed over with an event under skip, and committed past', async () => {
    await using sim = await start('a', 'bad', 'b', 'bad');
    const { seen, values, ackAll, consumer } = subscribe(sim, make(sim), {
      onDeserializationError: 'skip',
    });
    await sim.until(() => sim.eventsOf('skipped').length === 2);
    expect(values()).toEqual(['a', 'b']);
    expect(sim.eventsOf('skipped')).toMatchObject([
      { topic: TOPIC, partition: 0, offset: 1, nextOffset: 2 },
      { topic: TOPIC, partition: 0, offset: 3, nextOffset: 4 },
    ]);
    expect(sim.eventsOf('skipped')[0]!.error).toBeInstanceOf(SerializationError);
    ackAll();
    await sim.run(consumer.drain());
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(4);
    expect(seen.error).toBeUndefined();
  });

  it('that fails is not committed past before what comes before it is acked', async () => {
    await using sim = await start('a', 'bad', 'b');
    const { seen } = subscribe(sim, make(sim), {
      onDeserializationError: 'skip',
      autoCommitIntervalMs: 100,
    });
    await sim.until(() => seen.values.length === 2);
    await sim.advance(1000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(0);
    seen.values[0]!.ack();
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 2);
  });

  it('that fails has its value taken from a function', async () => {
    await using sim = await start('a', 'bad', 'b');
    const failures: DeserializationFailure[] = [];
    const { seen, values } = subscribe(sim, make(sim), {
      onDeserializationError: (failure) => {
        failures.push(failure);
        return `instead of ${failure.bytes.toString()}`;
      },
    });
    await sim.until(() => seen.values.length === 3);
    expect(values()).toEqual(['a', 'instead of bad', 'b']);
    expect(failures).toMatchObject([{ topic: TOPIC, partition: 0, offset: 1, part: 'value' }]);
  });

  it('that fails waits for a value that the function promises, and those behind it wait, too', async () => {
    await using sim = await start('a', 'bad', 'b');
    const { seen, values } = subscribe(sim, make(sim), {
      onDeserializationError: ({ bytes }) =>
        new Promise((resolve) => {
          sim.clock.schedule(3000, () => resolve(`instead of ${bytes.toString()}`));
        }),
    });
    await sim.advance(2500);
    expect(values()).toEqual(['a']);
    await sim.until(() => seen.values.length === 3);
    expect(values()).toEqual(['a', 'instead of bad', 'b']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no idea either');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no idea either'))],
  ])('that fails ends the stream where that function %s', async (_, onDeserializationError) => {
    await using sim = await start('a', 'bad', 'b');
    const { seen } = subscribe(sim, make(sim), { onDeserializationError });
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ code: 'CALLBACK_FAILED' });
    expect(String(seen.error)).toContain(
      'The callback onDeserializationError failed: no idea either',
    );
    expect(offsetsOf(seen.values)).toEqual([0]);
  });

  it('has what it has not delivered forgotten by a seek', async () => {
    await using sim = await start('a', 'b', 'slow', 'c');
    const { consumer, seen, values } = subscribe(sim, make(sim));
    await sim.until(() => seen.values.length >= 2);
    consumer.seek({ topic: TOPIC, partition: 0 }, { offset: 1 });
    const before = seen.values.length;
    await sim.until(() => seen.values.length === before + 3);
    expect(values().slice(before)).toEqual(['b', 'slow', 'c']);
    await sim.advance(20_000);
    expect(seen.values).toHaveLength(before + 3);
  });
});

describe('keys', () => {
  it('are deserialized as well, and named where that fails', async () => {
    await using sim = await start('1=a', 'bad=b');
    const consumer = sim.kafka().consumer({ ...inGroup, keyDeserializer: strict });
    const seen = new Seen(consumer.records(TOPIC));
    await sim.until(() => seen.isOver);
    expect(seen.values.map(({ key }) => key)).toEqual(['1']);
    expect(String(seen.error)).toContain('the key of the record at orders-0 offset 1');
  });

  it('and values that both fail later are told once', async () => {
    await using sim = await start('bad=bad');
    const consumer = sim
      .kafka()
      .consumer({ ...inGroup, keyDeserializer: slowly(sim), valueDeserializer: slowly(sim) });
    const seen = new Seen(consumer.records(TOPIC));
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeInstanceOf(SerializationError);
  });

  it('that fail may be replaced without losing what was made of the value', async () => {
    await using sim = await start('bad=a');
    const consumer = sim.kafka().consumer({
      ...inGroup,
      keyDeserializer: strict,
      valueDeserializer: (bytes: Buffer) => bytes.toString().toUpperCase(),
      onDeserializationError: () => 'no key',
    });
    const seen = new Seen(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 1);
    expect([seen.values[0]!.key, seen.values[0]!.value]).toEqual(['no key', 'A']);
  });
});

it('other partitions go on while one waits for its deserializer', async () => {
  await using sim = await start('slow', 'a');
  write(sim.cluster, TOPIC, 1, 'b', 'c');
  const { seen } = subscribe(sim, slowly(sim));
  await sim.until(() => seen.values.length === 2);
  expect(offsetsOf(seen.values, 1)).toEqual([0, 1]);
  expect(sim.clock.monotonic()).toBeLessThan(4000);
  await sim.until(() => seen.values.length === 4);
});

it('a deserializer may be an object, and is told the topic and the record', async () => {
  await using sim = await start('a');
  const told: unknown[] = [];
  const deserializer: Deserializer<string> = {
    deserialize: (bytes, { topic, record }) => {
      told.push([topic, record?.offset, record?.headers]);
      return bytes.toString();
    },
  };
  const { seen } = subscribe(sim, deserializer);
  await sim.until(() => seen.values.length === 1);
  expect(told).toEqual([[TOPIC, 0, []]]);
});

it('what waits for its deserializer keeps no drain waiting', async () => {
  await using sim = await start('a', 'slow');
  const { consumer, seen, ackAll } = subscribe(sim, slowly(sim));
  await sim.until(() => seen.values.length === 1);
  ackAll();
  await sim.advance(20);
  const startedAt = sim.clock.monotonic();
  await sim.run(consumer.drain());
  expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
  expect(committed(sim.cluster, GROUP, TOPIC)).toBe(1);
  await sim.advance(10_000);
  expect(seen.values).toHaveLength(1);
});
