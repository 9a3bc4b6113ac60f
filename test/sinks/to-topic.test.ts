import {
  concat,
  defer,
  EMPTY,
  from,
  map,
  NEVER,
  Observable,
  of,
  range,
  repeat,
  Subject,
  take,
  takeUntil,
  throwError,
  toArray,
  firstValueFrom,
  lastValueFrom,
} from 'rxjs';
import { describe, expect, it, test } from 'vitest';
import { Originating, type Origin } from '../../src/core/records/provenance.js';
import {
  ConfigError,
  KafkaError,
  toTopic,
  type ConsumerRecord,
  type Producer,
  type Receipt,
  type SendFailure,
} from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../src/testing/index.js';
import { rejectionOf, Simulation } from '../support/simulation.js';

const TOPIC = 'orders';

function start(partitions = 1): Promise<Simulation> {
  return Simulation.start({ topics: { [TOPIC]: partitions } });
}

function values(sim: Simulation): string[] {
  return sim.cluster.records(TOPIC).map(({ value }) => String(value));
}

function connections(sim: Simulation): number {
  return sim.cluster.inspect().brokers.reduce((sum, broker) => sum + broker.connections, 0);
}

class Derived extends Originating {
  constructor(
    readonly value: string,
    origins: readonly Origin[],
  ) {
    super(origins);
  }
}

/** A record that was derived from a consumed one, and what became of that. */
function derived(value: string) {
  const outcome: { is: 'open' | 'acked' | 'nacked'; reason?: unknown } = { is: 'open' };
  const origin = {
    ack: () => (outcome.is = 'acked'),
    nack(reason: unknown) {
      outcome.is = 'nacked';
      outcome.reason = reason;
    },
  };
  return { record: new Derived(value, [origin]), outcome };
}

/** Keeps what a subscription is told. */
function watch<T>(source: Observable<T>) {
  const seen: { values: T[]; end: unknown } = { values: [], end: undefined };
  const subscription = source.subscribe({
    next: (value) => seen.values.push(value),
    error: (error: unknown) => (seen.end = error),
    complete: () => (seen.end = 'complete'),
  });
  return { ...seen, seen, unsubscribe: () => subscription.unsubscribe() };
}

const asDerived = map((record: ConsumerRecord) => record.derive());

const record = (i: number | string) => ({ value: `v${i}` });

describe('toTopic', () => {
  it('connects nothing and says nothing for a source that never emits', async () => {
    await using sim = await start();
    const { seen, unsubscribe } = watch(NEVER.pipe(toTopic(sim.kafka(), TOPIC)));
    await sim.advance(60_000);
    expect(seen).toEqual({ values: [], end: undefined });
    expect(connections(sim)).toBe(0);
    unsubscribe();
    await sim.calm();
    expect(sim.clock.pending).toBe(0);
  });

  it('completes with an empty source', async () => {
    await using sim = await start();
    const receipts = await sim.run(
      lastValueFrom(EMPTY.pipe(toTopic(sim.kafka(), TOPIC), toArray())),
    );
    expect(receipts).toEqual([]);
    expect(connections(sim)).toBe(0);
  });

  it('emits the receipt of one record, with the record itself', async () => {
    await using sim = await start();
    const given = { key: 'k', value: 'v', headers: { h: 'x' }, timestamp: 5 };
    const receipt = await sim.run(firstValueFrom(of(given).pipe(toTopic(sim.kafka(), TOPIC))));
    expect(receipt).toEqual({ topic: TOPIC, partition: 0, offset: 0, timestamp: 5, origin: given });
    expect(receipt.origin).toBe(given);
  });

  it('emits receipts in the order of acknowledgement', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { slow: 1, fast: 1 } });
    sim.cluster.moveLeader('slow', 0, 1);
    sim.cluster.moveLeader('fast', 0, 2);
    sim.cluster.delay('Produce', 500, { broker: 1 });
    const receipts = await sim.run(
      lastValueFrom(
        from(['slow', 'fast']).pipe(
          toTopic(sim.kafka(), (value) => value, { toRecord: (value: string) => ({ value }) }),
          map(({ topic }) => topic),
          toArray(),
        ),
      ),
    );
    expect(receipts).toEqual(['fast', 'slow']);
  });

  it.each([
    ['synchronous', range(0, 500)],
    ['asynchronous', concat(range(0, 250), Promise.resolve(250), range(251, 249))],
  ])('writes many records of a %s source in order', async (_, source) => {
    await using sim = await start();
    const receipts = await sim.run(
      lastValueFrom(source.pipe(map(record), toTopic(sim.kafka(), TOPIC), toArray())),
    );
    expect(receipts.map(({ offset }) => offset)).toEqual(Array.from({ length: 500 }, (_v, i) => i));
    expect(values(sim)).toEqual(Array.from({ length: 500 }, (_v, i) => `v${i}`));
  });

  it('finishes what it accepted when the source fails, then fails with that', async () => {
    await using sim = await start();
    const source = concat(
      of(record(1)),
      throwError(() => new Error('upstream')),
    );
    const { seen } = watch(source.pipe(toTopic(sim.kafka(), TOPIC)));
    await sim.until(() => seen.end !== undefined);
    expect(seen.values).toHaveLength(1);
    expect(seen.end).toEqual(new Error('upstream'));
  });

  it('ends the source when enough receipts were taken', async () => {
    await using sim = await start();
    let isEnded = false;
    const source = new Observable<{ value: string }>((subscriber) => {
      subscriber.next(record(0));
      return () => (isEnded = true);
    });
    await sim.run(firstValueFrom(source.pipe(toTopic(sim.kafka(), TOPIC), take(1))));
    expect(isEnded).toBe(true);
  });

  it('ends a source that never returns when it is to accept nothing more', async () => {
    await using sim = await start();
    const options = { bufferMemory: 10_000 };
    const endless = of(record('x'.repeat(100))).pipe(repeat());
    const { seen } = watch(endless.pipe(toTopic(sim.kafka(), TOPIC, options)));
    await sim.until(() => seen.end !== undefined);
    expect(seen.end).toMatchObject({ code: 'OVERFLOW' });
    expect((seen.end as Error).message).toMatch(/sendAll.*bufferMemory|bufferMemory.*sendAll/);
    expect(values(sim)).toHaveLength(seen.values.length);
  });

  it('lets accepted records finish in the background when it is unsubscribed', async () => {
    await using sim = await start();
    const { record: given, outcome } = derived('v');
    const { unsubscribe } = watch(concat(of(given), NEVER).pipe(toTopic(sim.kafka(), TOPIC)));
    unsubscribe();
    await sim.until(() => outcome.is !== 'open');
    expect(outcome.is).toBe('acked');
    expect(values(sim)).toEqual(['v']);
  });

  it('lets go of a source that emits for ever as it is subscribed to', async () => {
    await using sim = await start();
    const enough = new Subject<void>();
    let taken = 0;
    const toRecord = () => {
      if (++taken === 100) enough.next();
      return { value: 'x' };
    };
    watch(of(0).pipe(repeat(), toTopic(sim.kafka(), TOPIC, { toRecord }), takeUntil(enough)));
    expect(taken).toBe(100);
  });

  it('gives accepted records up when it is unsubscribed with abandonOnUnsubscribe', async () => {
    await using sim = await start();
    const { record: given, outcome } = derived('v');
    const options = { abandonOnUnsubscribe: true };
    const { unsubscribe } = watch(
      concat(of(given), NEVER).pipe(toTopic(sim.kafka(), TOPIC, options)),
    );
    unsubscribe();
    await sim.advance(60_000);
    expect(values(sim)).toEqual([]);
    expect(outcome.is).toBe('nacked');
    expect(connections(sim)).toBe(0);
  });

  it.each(['of its own', 'that others share'])(
    'takes nothing more, and completes, when its client is drained (a producer %s)',
    async (whose) => {
      await using sim = await start();
      const kafka = sim.kafka();
      const values$ = new Subject<{ value: string }>();
      const target = whose === 'of its own' ? kafka : kafka.producer();
      const { seen } = watch(values$.pipe(toTopic(target, TOPIC)));
      for (const i of [1, 2]) values$.next(record(i));
      const drained = kafka.drain();
      await sim.calm();
      expect(values$.observed).toBe(false);
      await sim.run(drained);
      await sim.calm();
      expect(seen.end).toBe('complete');
      expect(seen.values.map(({ offset }) => offset)).toEqual([0, 1]);
      expect(values(sim)).toEqual(['v1', 'v2']);
    },
  );

  it('leaves a producer open that others share', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer();
    await sim.run(lastValueFrom(of(record(1)).pipe(toTopic(producer, TOPIC))));
    await sim.run(lastValueFrom(of(record(2)).pipe(toTopic(producer, TOPIC))));
    await sim.run(producer.send({ topic: TOPIC, value: 'v3' }));
    expect(values(sim)).toEqual(['v1', 'v2', 'v3']);
  });

  it('checks its options where it is made', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    expect(() => toTopic(kafka, TOPIC, { lingerMs: -1 })).toThrow(/lingerMs/);
    expect(() => toTopic(kafka, TOPIC, { overflow: 'drop' as never })).toThrow(
      /overflow.*drop-newest/,
    );
    expect(() => toTopic(kafka, TOPIC, { onError: 'ignore' as never })).toThrow(/onError/);
    expect(() => toTopic(kafka, TOPIC, { toRecord: 5 as never })).toThrow(/toRecord/);
    expect(() => toTopic(kafka, 5 as never)).toThrow(/topic/);
    const misspelt = { valueSerialiser: String } as never;
    expect(() => toTopic(kafka, TOPIC, misspelt)).toThrow(/did you mean valueSerializer/);
    const producer = kafka.producer();
    expect(() => toTopic(producer, TOPIC, { lingerMs: 1 } as never)).toThrow(/lingerMs.*producer/);
    for (const options of [null, 'json', 7]) {
      expect(() => toTopic(kafka, TOPIC, options as never)).toThrow(ConfigError);
    }
  });

  it.each([undefined, null, 'localhost:9092', 7, {}, Promise.resolve()])(
    'refuses %j as the place to write to, where it is made, saying what to give',
    (target) => {
      expect(() => toTopic(target as never, TOPIC)).toThrow(ConfigError);
      expect(() => toTopic(target as never, TOPIC)).toThrow(
        /createKafka\(\) or kafka\.producer\(\)/,
      );
    },
  );
});

describe('a topic of which nobody knows where it is', () => {
  it('holds no record for another topic up, and fails its own by the policy', async () => {
    await using sim = await Simulation.start({
      topics: { [TOPIC]: 1 },
      autoCreateTopicsEnable: false,
    });
    const options = {
      toRecord: (topic: string) => ({ value: topic }),
      maxBlockMs: 5000,
      onError: 'emit',
    } as const;
    const { seen } = watch(
      from(['nowhere', TOPIC]).pipe(toTopic(sim.kafka(), (topic) => topic, options)),
    );
    await sim.until(() => seen.values.length > 0);
    expect(sim.clock.monotonic()).toBeLessThan(1000);
    expect(seen.values[0]).toMatchObject({ topic: TOPIC, offset: 0 });
    await sim.until(() => seen.end !== undefined);
    expect(seen.values[1]).toMatchObject({
      origin: 'nowhere',
      error: { code: 'METADATA_TIMED_OUT' },
    });
    expect(seen.end).toBe('complete');
  });
});

describe('a record that can not be sent', () => {
  const poison = { value: 5 as unknown };
  const good = [record(1), record(2)];
  const mixed = from([good[0]!, poison, good[1]!]);

  it('fails the stream by default, after what was accepted is finished', async () => {
    await using sim = await start();
    const { seen } = watch(mixed.pipe(toTopic(sim.kafka(), TOPIC)));
    await sim.until(() => seen.end !== undefined);
    expect(seen.values).toHaveLength(1);
    expect(seen.end).toMatchObject({ code: 'SERIALIZATION_FAILED' });
    expect(values(sim)).toEqual(['v1']);
  });

  it('fails the stream also when its source had completed before', async () => {
    await using sim = await start();
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const { seen } = watch(of(record(1)).pipe(toTopic(sim.kafka(), TOPIC)));
    await sim.until(() => seen.end !== undefined);
    expect(seen).toMatchObject({ values: [], end: { code: 'TOPIC_AUTHORIZATION_FAILED' } });
  });

  it('takes the place of its receipt with onError emit', async () => {
    await using sim = await start();
    const { seen } = watch(mixed.pipe(toTopic(sim.kafka(), TOPIC, { onError: 'emit' })));
    await sim.until(() => seen.end !== undefined);
    const failures = seen.values.filter(
      (value): value is SendFailure<typeof poison> => 'error' in value,
    );
    expect(failures).toEqual([{ error: expect.any(KafkaError) as unknown, origin: poison }]);
    expect(values(sim)).toEqual(['v1', 'v2']);
    expect(seen.end).toBe('complete');
  });

  it('becomes what a function makes of it', async () => {
    await using sim = await start();
    const onError = ({ error }: SendFailure<unknown>) => of(error.code, 'told');
    const { seen } = watch(mixed.pipe(toTopic(sim.kafka(), TOPIC, { onError })));
    await sim.until(() => seen.end !== undefined);
    expect(seen.values.filter((value) => typeof value === 'string')).toEqual([
      'SERIALIZATION_FAILED',
      'told',
    ]);
    expect(seen.end).toBe('complete');
  });

  it('keeps the stream from completing until the function is done with it', async () => {
    await using sim = await start();
    const gate = new Subject<string>();
    const { seen } = watch(mixed.pipe(toTopic(sim.kafka(), TOPIC, { onError: () => gate })));
    await sim.advance(1000);
    expect(seen.end).toBeUndefined();
    gate.complete();
    await sim.until(() => seen.end !== undefined);
    expect(seen.end).toBe('complete');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('handler');
      },
    ],
    ['gives an Observable that fails', () => throwError(() => new Error('handler'))],
  ])('fails the stream where the function %s', async (_, onError) => {
    await using sim = await start();
    const { seen } = watch(mixed.pipe(toTopic(sim.kafka(), TOPIC, { onError })));
    await sim.until(() => seen.end !== undefined);
    expect(seen.end).toEqual(new Error('handler'));
  });

  const faults: [string, object][] = [
    ['toRecord', { toRecord: bomb }],
    ['valueSerializer', { toRecord: (value: number) => ({ value }), valueSerializer: bomb }],
    ['keySerializer', { toRecord: (key: number) => ({ key }), keySerializer: bomb }],
  ];
  function bomb(value: number): { value: string } | string {
    if (value === 2) throw new Error('boom');
    return 'text';
  }

  it.each(faults)('because %s throws hurts no other', async (what, options) => {
    await using sim = await start();
    const toRecord = (value: number) => (bomb(value), { value: `v${value}` });
    const all = { ...options, ...(what === 'toRecord' && { toRecord }), onError: 'emit' as const };
    const { seen } = watch(range(1, 3).pipe(toTopic(sim.kafka(), TOPIC, all)));
    await sim.until(() => seen.end !== undefined);
    const failures = seen.values.filter((value) => 'error' in value);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ error: { code: 'SERIALIZATION_FAILED' }, origin: 2 });
    expect(values(sim)).toHaveLength(2);
    expect(seen.end).toBe('complete');
  });

  it('because the topic function throws hurts no other', async () => {
    await using sim = await start();
    const topicOf = (value: number) => {
      if (value === 2) throw new Error('boom');
      return TOPIC;
    };
    const toRecord = (value: number) => ({ value: `v${value}` });
    const options = { toRecord, onError: 'emit' as const };
    const { seen } = watch(range(1, 3).pipe(toTopic(sim.kafka(), topicOf, options)));
    await sim.until(() => seen.end !== undefined);
    expect(values(sim)).toEqual(['v1', 'v3']);
    expect(seen.values).toContainEqual(expect.objectContaining({ origin: 2 }));
  });
});

describe('a value that throws when it is looked at', () => {
  const hostile = (partition: number) => ({
    partition,
    get value(): string {
      throw new Error('not now');
    },
  });

  it('fails alone, and the stream ends', async () => {
    await using sim = await start();
    const source = of(record(1), hostile(0), record(2));
    const seen = await sim.run(
      lastValueFrom(source.pipe(toTopic(sim.kafka(), TOPIC, { onError: 'emit' }), toArray())),
    );
    const failures = seen.filter((each) => 'error' in each);
    expect(failures).toMatchObject([
      { error: { code: 'INVALID_RECORD_INPUT', cause: new Error('not now') } },
    ]);
    expect(values(sim)).toEqual(['v1', 'v2']);
  });

  it.each([Symbol('orders'), {}, () => TOPIC, Promise.resolve(TOPIC)])(
    'nor do others suffer from a topic that is no name: %s',
    async (topic) => {
      await using sim = await start();
      const topicOf = ({ value }: { value: string }) => (value === 'v2' ? (topic as never) : TOPIC);
      const sink = toTopic(sim.kafka(), topicOf, { onError: 'emit' });
      const seen = await sim.run(lastValueFrom(from([1, 2, 3].map(record)).pipe(sink, toArray())));
      expect(seen.filter((each) => 'error' in each)).toMatchObject([
        { error: { code: 'INVALID_RECORD_INPUT' }, origin: { value: 'v2' } },
      ]);
      expect(values(sim)).toEqual(['v1', 'v3']);
    },
  );
});

describe('what a record was derived from', () => {
  test(
    'is acked when the record is acknowledged',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b--');
      const invoices = sink(['----r', '-r']);
      expectOutput(orders.pipe(asDerived, toTopic(invoices, TOPIC))).toBe('-----(ab)');
      expectAcks(orders).toBe('                                            -----(ab)');
      expectCommits(orders).toBe('                                         -----(ab)');
    }),
  );

  test(
    'is acked also where toRecord derives it',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks }) => {
      const orders = records('-a-b--');
      const toRecord = (order: ConsumerRecord) => order.derive({ value: 'invoice' });
      expectOutput(orders.pipe(toTopic(sink('--r'), TOPIC, { toRecord }))).toBe('---a-b');
      expectAcks(orders).toBe('                                                  ---a-b');
    }),
  );

  test(
    'is nacked when the record can not be sent, and the stream ends',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks, expectNacks }) => {
      const orders = records('-ab----', undefined, { drainTimeoutMs: 5 });
      const invoices = sink(['--#', '--r']);
      const sent = orders.pipe(asDerived, toTopic(invoices, TOPIC));
      // b, which was on its way, is finished first.
      expectOutput(sent).toBe('   ----(b#)', {}, invoices.error);
      expectNacks(orders).toBe('  ---a');
      expectAcks(orders).toBe('   ----b');
    }),
  );

  test(
    'is nacked when a function has seen to its failure, and comes again',
    kafkaMarbles(({ records, sink, cold, expectOutput, expectNacks, expectDeliveries }) => {
      const orders = records('-a-----', undefined, { nackBackoffMs: 10 });
      const onError = () => cold('--x|');
      const sent = orders.pipe(asDerived, toTopic(sink(['-#', '-r']), TOPIC, { onError }));
      expectOutput(sent).toBe('        ----x 11ms a');
      expectNacks(orders).toBe('       -----a');
      expectDeliveries(orders).toBe('  -a 13ms a');
    }),
  );

  test(
    'is the user’s to settle with onError emit',
    kafkaMarbles(({ records, sink, expectOutput, expectNacks, expectAcks }) => {
      const orders = records('-a-b--');
      const sent = orders.pipe(asDerived, toTopic(sink(['-#', '-r']), TOPIC, { onError: 'emit' }));
      expectOutput(sent).toBe('--f-b', { f: 'a failed' });
      expectNacks(orders).toBe('');
      expectAcks(orders).toBe('----b');
    }),
  );

  test(
    'waits for room, bounded by the window it came through',
    kafkaMarbles(({ records, sink, expectOutput, expectDeliveries }) => {
      const orders = records('(abcd)', undefined, { maxUnackedRecords: 2 });
      const sent = orders.pipe(asDerived, toTopic(sink('----r', { maxInFlight: 1 }), TOPIC));
      expectOutput(sent).toBe('        ----a---b---c---d');
      expectDeliveries(orders).toBe('  (ab)c---d');
    }),
  );
});

describe('in time', () => {
  test(
    'unsubscribed, it takes no more, and what was accepted is acked when it is written',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks, expectReceipts }) => {
      const orders = records('-a-b-c--');
      const invoices = sink('----r');
      expectOutput(orders.pipe(asDerived, toTopic(invoices, TOPIC)), '^---!').toBe('');
      expectReceipts(invoices).toBe('-----a-b');
      expectAcks(orders).toBe('      -----a-b');
    }),
  );

  test(
    'unsubscribed with abandonOnUnsubscribe, what found no room goes back, and the rest is acked if it is written',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks, expectNacks, ...t }) => {
      const orders = records('-(abc)--', undefined, { drainTimeoutMs: 20 });
      const invoices = sink(['----r', '----#'], { maxInFlight: 2 });
      const sent = orders.pipe(asDerived, toTopic(invoices, TOPIC, { abandonOnUnsubscribe: true }));
      expectOutput(sent, '^---!').toBe('');
      t.expectReceipts(invoices).toBe('-----(a#)');
      expectAcks(orders).toBe('       -----a');
      expectNacks(orders).toBe('      ----c(b)');
      t.expectLifecycle(orders, 'drained').toBe('-----E');
    }),
  );

  test(
    'in a rebalance, what is on its way is waited for, and committed with its partition',
    kafkaMarbles(({ records, lifecycle, sink, expectOutput, expectCommits, expectLifecycle }) => {
      const orders = records('-a-b-------', undefined, { drainTimeoutMs: 20 });
      lifecycle(orders, '     --R------A');
      expectOutput(orders.pipe(asDerived, toTopic(sink('-----r'), TOPIC))).toBe('------a-------b');
      expectCommits(orders).toBe('            ------a-------b');
      expectLifecycle(orders, 'revoked').toBe('------R');
    }),
  );

  test(
    'when its partition was lost, what is written later is the next owner’s to write again',
    kafkaMarbles(({ records, lifecycle, sink, expectReceipts, expectAcks, expectLateAcks }) => {
      const orders = records('-a---------');
      lifecycle(orders, '     --L-A');
      const invoices = sink('-----r');
      orders.pipe(asDerived, toTopic(invoices, TOPIC)).subscribe();
      expectReceipts(invoices).toBe('------a--a');
      expectLateAcks(orders).toBe('  ------a');
      expectAcks(orders).toBe('      ---------a');
    }),
  );

  test(
    'a commit that fails is made up for with the next',
    kafkaMarbles(({ records, lifecycle, sink, expectAcks, expectLifecycle }) => {
      const orders = records('-a-b-');
      lifecycle(orders, '     F');
      orders.pipe(asDerived, toTopic(sink('--r'), TOPIC)).subscribe();
      expectAcks(orders).toBe('---a-b');
      expectLifecycle(orders, 'committed', 'commit-failed').toBe('---F-C');
    }),
  );

  test('is subscribed to once for each subscriber, who has all of it written', async () => {
    let subscriptions = 0;
    await kafkaMarblesAsync(({ sink, expectOutput }) => {
      const source = defer(() => {
        subscriptions++;
        return of(record(1));
      });
      const sent = source.pipe(
        toTopic(sink('-r'), TOPIC),
        map(({ offset }) => offset),
      );
      expectOutput(sent).toBe('          -(a|)', { a: 0 });
      expectOutput(sent, '--^').toBe('---(b|)', { b: 1 });
    })();
    expect(subscriptions).toBe(2);
  });

  test(
    'a synchronous source and one that comes later are written alike',
    kafkaMarblesAsync(({ sink, cold, expectOutput }) => {
      const [a, b] = [record(1), record(2)];
      const offsets = map(({ offset }: Receipt<unknown>) => offset);
      const values = { 0: 0, 1: 1 };
      expectOutput(of(a, b).pipe(toTopic(sink('-r'), TOPIC), offsets)).toBe('-(01|)', values);
      expectOutput(cold('a-(b|)', { a, b }).pipe(toTopic(sink('-r'), TOPIC), offsets)).toBe(
        '-0-(1|)',
        values,
      );
    }),
  );
});

describe('a source that outruns the broker', () => {
  const many = Array.from({ length: 200 }, (_, i) => ({ value: `${i} ${'x'.repeat(100)}` }));
  const small = { bufferMemory: 5000, batchSize: 500, lingerMs: 0 };

  it('fails by default, naming sendAll and the limit', async () => {
    await using sim = await start();
    const { seen } = watch(from(many).pipe(toTopic(sim.kafka(), TOPIC, small)));
    await sim.until(() => seen.end !== undefined);
    expect(seen.end).toMatchObject({ code: 'OVERFLOW' });
    expect((seen.end as Error).message).toMatch(/5000 bytes.*sendAll/);
    expect(values(sim)).toHaveLength(seen.values.length);
  });

  it('loses its newest records with drop-newest, each with an event', async () => {
    await using sim = await start();
    const options = { ...small, overflow: 'drop-newest' as const };
    const { seen } = watch(from(many).pipe(toTopic(sim.kafka(), TOPIC, options)));
    await sim.until(() => seen.end !== undefined);
    const dropped = sim.eventsOf('dropped').reduce((sum, { records }) => sum + records, 0);
    expect(dropped).toBeGreaterThan(0);
    expect(seen.values.length + dropped).toBe(many.length);
    expect(values(sim)[0]).toMatch(/^0 /);
    expect(seen.end).toBe('complete');
  });

  it('loses its oldest unsent batches with drop-oldest, each with an event', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    await sim.run(lastValueFrom(of(record('first')).pipe(toTopic(kafka, TOPIC))));
    sim.events.length = 0;
    // More than fits into the requests that may be on the way.
    const producer = kafka.producer({ ...small, bufferMemory: 40_000 });
    await sim.run(producer.send({ topic: TOPIC, value: 'warm' }));
    sim.cluster.delay('Produce', 1000);
    const { seen } = watch(from(many).pipe(toTopic(producer, TOPIC, { overflow: 'drop-oldest' })));
    await sim.until(() => seen.end !== undefined);
    const dropped = sim.eventsOf('dropped').reduce((sum, { records }) => sum + records, 0);
    expect(dropped).toBeGreaterThan(0);
    expect(seen.values.length + dropped).toBe(many.length);
    expect(values(sim).at(-1)).toMatch(/^199 /);
    const order = seen.values.map((receipt) =>
      Number((receipt as Receipt<{ value: string }>).origin.value.split(' ')[0]),
    );
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it.each(['error', 'drop-newest', 'drop-oldest'] as const)(
    'never loses records that were derived from consumed ones (%s): they wait',
    async (overflow) => {
      await using sim = await start();
      const all = many.map(({ value }) => derived(value));
      const source = from(all.map(({ record: given }) => given));
      const { seen } = watch(source.pipe(toTopic(sim.kafka(), TOPIC, { ...small, overflow })));
      await sim.until(() => seen.end !== undefined);
      expect(seen.end).toBe('complete');
      expect(values(sim)).toEqual(many.map(({ value }) => value));
      expect(all.every(({ outcome }) => outcome.is === 'acked')).toBe(true);
    },
  );

  /** Sends `p0`, `p1`, ... and derived ones, `d0`, `d1`, ..., as it is told to. */
  function mixed(producer: Producer) {
    const source = new Subject<{ readonly value: string }>();
    const { seen } = watch(source.pipe(toTopic(producer, TOPIC, { overflow: 'drop-oldest' })));
    const give = (...names: readonly string[]) => {
      for (const name of names) {
        const value = `${name} ${'x'.repeat(300)}`;
        source.next(name.startsWith('d') ? derived(value).record : { value });
      }
    };
    return { seen, give, end: () => source.complete() };
  }

  const namesOf = (sim: Simulation) => values(sim).map((value) => value.split(' ')[0]!);
  const names = (first: number, end: number) =>
    Array.from({ length: end - first }, (_, i) => `p${first + i}`);

  it('gives the room that drop-oldest makes to records that wait, and misses no receipt', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({
      bufferMemory: 12_000,
      batchSize: 500,
      lingerMs: 0,
      maxRequestSize: 3000,
    });
    await sim.run(producer.send({ topic: TOPIC, value: 'warm' }));
    sim.cluster.delay('Produce', 1000);
    const { seen, give, end } = mixed(producer);
    give(...names(0, 40), 'd0', 'd1', 'd2', ...names(40, 50));
    end();
    await sim.until(() => seen.end !== undefined);
    const dropped = sim.eventsOf('dropped').reduce((sum, { records }) => sum + records, 0);
    expect(seen.end).toBe('complete');
    expect(seen.values).toHaveLength(values(sim).length - 1);
    expect(seen.values.length + dropped).toBe(53);
    expect(namesOf(sim)).toEqual(expect.arrayContaining(['d0', 'd1', 'd2']));
  });

  it('keeps order with drop-oldest while nobody knows where the topic is', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ ...small, bufferMemory: 2000 });
    sim.cluster.delay('Metadata', 1000);
    const { seen, give, end } = mixed(producer);
    const all = ['p0', 'p1', 'd0', 'p2', 'p3', 'p4', 'd1'];
    give(...all);
    end();
    await sim.until(() => seen.end !== undefined);
    const written = namesOf(sim);
    expect(written).toEqual(all.filter((name) => written.includes(name)));
    expect(written).toEqual(expect.arrayContaining(['d0', 'd1']));
  });

  it('is nacked, not stuck, when its shared producer is closed while it waits', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer(small);
    sim.cluster.delay('Produce', 60_000);
    const all = many.map(({ value }) => derived(value));
    const source = from(all.map(({ record: given }) => given));
    const { seen } = watch(source.pipe(toTopic(producer, TOPIC)));
    await sim.advance(100);
    await sim.run(producer.close({ timeoutMs: 1000 }));
    await sim.until(() => seen.end !== undefined);
    expect(seen.end).toMatchObject({ code: 'PRODUCER_CLOSED' });
    expect(all.every(({ outcome }) => outcome.is === 'nacked')).toBe(true);
  });

  it('is told by send() as well: further sends wait, and too many fail', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ ...small, maxBlockedSends: 10, maxBlockMs: 2000 });
    sim.cluster.delay('Produce', 60_000);
    const sends = many.map(({ value }) => rejectionOf(producer.send({ topic: TOPIC, value })));
    await sim.advance(100);
    expect(await sends.at(-1)).toMatchObject({ code: 'TOO_MANY_BLOCKED_SENDS' });
    expect(producer.metrics()['producer-metrics']!['waiting-threads']).toBe(10);
    await sim.advance(2000);
    expect(producer.metrics()['producer-metrics']!['waiting-threads']).toBe(0);
    const codes = new Set<unknown>();
    for (const failure of sends)
      void failure.then(
        (error) => codes.add((error as KafkaError).code),
        () => undefined,
      );
    await sim.calm();
    expect(codes).toEqual(new Set(['TOO_MANY_BLOCKED_SENDS', 'BUFFER_EXHAUSTED']));
  });
});
