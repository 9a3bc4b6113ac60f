import { catchError, defer, EMPTY, from, generate, map, NEVER, of, Subject, takeUntil } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  json,
  string,
  toTopics,
  type ConsumerRecord,
  type DerivedRecord,
} from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../src/testing/index.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

interface Event {
  readonly user: string;
  readonly kind: 'plain' | 'urgent' | 'noise';
}

const derived = map((record: ConsumerRecord) => record.derive());

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

  test(
    'acks what a value was derived from when all of its topics have it',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks, expectReceipts }) => {
      const orders = records('(abc)-');
      const producer = sink(({ topic }) => (topic === 'alerts' ? '-----r' : '-r'));
      const routed = orders.pipe(
        derived,
        toTopics(
          producer,
          ({ value }) => {
            if (String(value) === 'c') return [];
            return String(value) === 'a' ? (['events', 'alerts'] as const) : 'events';
          },
          { events: {}, alerts: {} },
        ),
      );
      expectOutput(routed).toBe('      -(ab)a');
      expectReceipts(producer).toBe('  -(ab)a');
      // What goes nowhere is acked at once.
      expectAcks(orders).toBe('       cb---a');
    }),
  );

  test(
    'acks what a value was derived from when its only topic has it, named alone or in a list',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks }) => {
      const orders = records('-a-b-');
      const route = ({ value }: DerivedRecord) =>
        String(value) === 'a' ? 'events' : (['events'] as const);
      const routed = orders.pipe(derived, toTopics(sink('--r'), route, { events: {} }));
      expectOutput(routed).toBe('---a-b');
      expectAcks(orders).toBe('  ---a-b');
    }),
  );

  test(
    'nacks it, once, when one of its topics refuses it, and the stream ends',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks, expectNacks }) => {
      const orders = records('-a---b-', undefined, { drainTimeoutMs: 5 });
      const producer = sink(({ topic }) => (topic === 'alerts' ? '-#' : '--r'));
      const routed = orders.pipe(
        derived,
        toTopics(producer, () => ['events', 'alerts'] as const, { events: {}, alerts: {} }),
      );
      expectOutput(routed).toBe('---(a#)', {}, producer.error);
      expectNacks(orders).toBe(' ---a');
      expectAcks(orders).toBe('');
    }),
  );

  test(
    'an error of the source comes after what was accepted is finished',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks }) => {
      const orders = records('-a--#', undefined, { drainTimeoutMs: 9 });
      const routed = orders.pipe(
        derived,
        toTopics(sink('------r'), () => 'events' as const, { events: {} }),
      );
      expectOutput(routed).toBe('-------(a#)');
      expectAcks(orders).toBe('  -------a');
    }),
  );

  test(
    'unsubscribed, it takes no more, and what was accepted is acked when all of its topics have it',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks, expectReceipts }) => {
      const orders = records('-a---b-');
      const producer = sink(['---r', '-----r']);
      const routed = orders.pipe(
        derived,
        toTopics(producer, () => ['events', 'alerts'] as const, { events: {}, alerts: {} }),
      );
      expectOutput(routed, '        ^--!').toBe('');
      expectReceipts(producer).toBe('----a-a');
      expectAcks(orders).toBe('      ------a');
    }),
  );

  test(
    'a value that can’t become a record of one of its topics ends the stream',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectNacks }) => {
      const orders = records('-a-', undefined, { drainTimeoutMs: 5 });
      const toRecord = () => {
        throw new Error('no record');
      };
      const routed = orders.pipe(
        derived,
        toTopics(sink('-r'), () => ['events', 'alerts'] as const, {
          events: {},
          alerts: { toRecord },
        }),
        catchError(({ message }: Error) => [message]),
      );
      const x = 'Cannot make a record of a value: no record';
      expectOutput(routed).toBe('--(ax|)', { x });
      expectNacks(orders).toBe(' --a');
    }),
  );

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

  test('empty: completes', async () => {
    await using sim = await start();
    const seen = watch(EMPTY.pipe(toTopics(sim.kafka(), () => 'events' as const, { events: {} })));
    await sim.until(() => seen.isComplete);
    expect(stored(sim, 'events')).toEqual([]);
  });

  test('is subscribed to once for each subscriber, who has all of it written', async () => {
    await using sim = await start();
    const values = defer(() => of({ value: 'a' }));
    const routed = values.pipe(toTopics(sim.kafka(), () => 'events' as const, { events: {} }));
    const both = [watch(routed), watch(routed)];
    await sim.until(() => both.every(({ isComplete }) => isComplete));
    expect(stored(sim, 'events')).toEqual(['a', 'a']);
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
