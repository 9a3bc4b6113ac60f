import { from, generate, NEVER, of, Subject, takeUntil } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ConfigError, json, string, toTopics } from '../../src/index.js';
import { TestPartition } from '../support/records.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

interface Event {
  readonly user: string;
  readonly kind: 'plain' | 'urgent' | 'noise';
}

const start = () => Simulation.start({ topics: { events: 1, alerts: 1 } });

const routes = {
  events: {
    toRecord: (event: Event) => ({ key: event.user, value: event }),
    keySerializer: string(),
    valueSerializer: json<Event>(),
  },
  alerts: { toRecord: (event: Event) => ({ value: `alert for ${event.user}` }) },
};

const route = ({ kind }: Event) => {
  if (kind === 'noise') return undefined;
  return kind === 'urgent' ? (['events', 'alerts'] as const) : 'events';
};

function stored(sim: Simulation, topic: string): string[] {
  return sim.cluster.records(topic).map(({ value }) => String(value));
}

describe('toTopics', () => {
  test('writes each value to its topics, with the serializers of each', async () => {
    await using sim = await start();
    const events: Event[] = [
      { user: 'anna', kind: 'plain' },
      { user: 'ben', kind: 'noise' },
      { user: 'cleo', kind: 'urgent' },
    ];
    const seen = watch(from(events).pipe(toTopics(sim.kafka(), route, routes)));
    await sim.until(() => seen.isComplete);
    expect(stored(sim, 'events')).toEqual([JSON.stringify(events[0]), JSON.stringify(events[2])]);
    expect(stored(sim, 'alerts')).toEqual(['alert for cleo']);
    expect(seen.values.map(({ topic, origin }) => `${topic} ${origin.user}`).toSorted()).toEqual([
      'alerts cleo',
      'events anna',
      'events cleo',
    ]);
  });

  test('acks what a value was derived from when all of its topics have it', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { events: 1, alerts: 1 } });
    sim.cluster.moveLeader('events', 0, 1);
    sim.cluster.moveLeader('alerts', 0, 2);
    sim.cluster.delay('Produce', 300, { broker: 2 });
    const partition = new TestPartition();
    const [a, b] = partition.deliver('a', 'b');
    const seen = watch(
      of(a!.derive({ value: 'both' }), b!.derive({ value: 'none' })).pipe(
        toTopics(
          sim.kafka(),
          ({ value }) => (value === 'both' ? (['events', 'alerts'] as const) : []),
          { events: {}, alerts: {} },
        ),
      ),
    );
    await sim.advance(100);
    expect(seen.values.map(({ topic }) => topic)).toEqual(['events']);
    expect(partition.unacked).toBe(1);
    await sim.until(() => seen.isComplete);
    expect(partition.committable).toBe(2);
    expect(stored(sim, 'alerts')).toEqual(['both']);
  });

  test('acks what a value was derived from when its only topic has it, named alone or in a list', async () => {
    await using sim = await start();
    const partition = new TestPartition();
    const [a, b] = partition.deliver('a', 'b');
    const seen = watch(
      of(a!.derive({ value: 'alone' }), b!.derive({ value: 'listed' })).pipe(
        toTopics(
          sim.kafka(),
          ({ value }) => (value === 'alone' ? 'events' : (['events'] as const)),
          { events: {} },
        ),
      ),
    );
    expect(partition.unacked).toBe(2);
    await sim.until(() => seen.isComplete);
    expect(partition.committable).toBe(2);
    expect(stored(sim, 'events')).toEqual(['alone', 'listed']);
  });

  test('nacks it, once, when one of its topics refuses it', async () => {
    // Up to 3.9 topics go by name.
    await using sim = await Simulation.start({
      topics: { events: 1, alerts: 1 },
      version: '3.9',
    });
    const partition = new TestPartition();
    const [a] = partition.deliver('a');
    sim.cluster.intercept('Produce', ({ body }) =>
      body.topicData.some(({ name }) => name === 'alerts') ? refusal(body.topicData) : undefined,
    );
    const producer = sim.kafka().producer();
    const seen = watch(
      of(a!.derive({ value: 'x'.repeat(80) })).pipe(
        toTopics(producer, () => ['events', 'alerts'] as const, { events: {}, alerts: {} }),
      ),
    );
    await sim.until(() => seen.error !== undefined || seen.isComplete);
    expect(seen.error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
    expect(partition.nacked).toHaveLength(1);
    expect(partition.committable).toBe(0);
  });

  test('a topic without a route is an error that names it, after what was accepted', async () => {
    await using sim = await start();
    const seen = watch(
      of('a', 'b').pipe(
        toTopics(sim.kafka(), (value) => (value === 'a' ? 'events' : 'elsewhere') as 'events', {
          events: { toRecord: (value: string) => ({ value }) },
        }),
      ),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'UNKNOWN_ROUTE', context: { topic: 'elsewhere' } });
    expect(stored(sim, 'events')).toEqual(['a']);
  });

  test('what route throws ends the stream, after what was accepted, and asks for no more', async () => {
    await using sim = await start();
    const error = new Error('no idea');
    const asked: string[] = [];
    const seen = watch(
      of('a', 'b', 'c').pipe(
        toTopics(
          sim.kafka(),
          (value): 'events' => {
            asked.push(value);
            if (value === 'b') throw error;
            return 'events';
          },
          { events: { toRecord: (value: string) => ({ value }) } },
        ),
      ),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toBe(error);
    expect(asked).toEqual(['a', 'b']);
    expect(stored(sim, 'events')).toEqual(['a']);
  });

  test('a source that emits for ever as it is subscribed to ends with its subscriber', async () => {
    await using sim = await start();
    const enough = new Subject<void>();
    let asked = 0;
    const routing = toTopics(
      sim.kafka(),
      (): 'events' => {
        if (asked++ === 100) enough.next();
        return 'events';
      },
      { events: { toRecord: (value: string) => ({ value }) } },
    );
    generate({ initialState: 'a', iterate: String }).pipe(routing, takeUntil(enough)).subscribe();
    await sim.calm();
    expect(asked).toBe(101);
  });

  test('never, and unsubscribed: nothing is connected', async () => {
    await using sim = await start();
    const seen = watch(NEVER.pipe(toTopics(sim.kafka(), () => 'events' as const, { events: {} })));
    await sim.advance(1000);
    seen.subscription.unsubscribe();
    await sim.calm();
    expect(sim.cluster.inspect().requests).toEqual({});
    expect(sim.clock.pending).toBe(0);
  });

  test('checks its options where it is made', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    expect(() => toTopics(kafka, 'events' as never, {})).toThrow(ConfigError);
    const odd = { events: { valueSerializer: 'json' as never } };
    expect(() => toTopics(kafka, () => 'events', odd)).toThrow(/events\.valueSerializer/);
    expect(() => toTopics(kafka, () => 'events', { events: { toRecord: 5 as never } })).toThrow(
      /events\.toRecord/,
    );
    expect(() => toTopics(kafka, () => 'events', { events: {} }, { lingerMs: -1 })).toThrow(
      /lingerMs/,
    );
    expect(() => toTopics(kafka, () => 'events', null as never)).toThrow(ConfigError);
    for (const route of [null, 7]) {
      expect(() => toTopics(kafka, () => 'events', { events: route as never })).toThrow(
        /toTopics, route events/,
      );
    }
    const misspelt = { valueSerialiser: String } as never;
    expect(() => toTopics(kafka, () => 'events', { events: misspelt })).toThrow(
      /route events.*did you mean valueSerializer/,
    );
    expect(() => toTopics(null as never, () => 'events', { events: {} })).toThrow(/createKafka/);
  });
});

function refusal(topics: readonly { readonly name: string }[]) {
  return {
    responses: topics.map(({ name }) => ({
      name,
      partitionResponses: [{ index: 0, errorCode: 29, baseOffset: -1 }],
    })),
  };
}
