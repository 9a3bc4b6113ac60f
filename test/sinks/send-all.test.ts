import { Readable } from 'node:stream';
import {
  catchError,
  lastValueFrom,
  map,
  mergeMap,
  take,
  timer,
  toArray,
  type Observable,
} from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { sendAll, type Producer, type Receipt, type SinkRecord } from '../../src/index.js';
import { kafkaMarblesAsync } from '../../src/testing/index.js';
import { Simulation } from '../support/simulation.js';

const TOPIC = 'lines';
const toRecord = (line: string) => ({ value: line });
const lines = (count: number) => Array.from({ length: count }, (_, i) => `line ${i}`);

function start(): Promise<Simulation> {
  return Simulation.start({ topics: { [TOPIC]: 1 } });
}

function values(sim: Simulation): string[] {
  return sim.cluster.records(TOPIC).map(({ value }) => String(value));
}

function watch<T>(source: Observable<T>) {
  const seen: { values: T[]; end: unknown } = { values: [], end: undefined };
  const subscription = source.subscribe({
    next: (value) => seen.values.push(value),
    error: (error: unknown) => (seen.end = error),
    complete: () => (seen.end = 'complete'),
  });
  return { seen, unsubscribe: () => subscription.unsubscribe() };
}

/** Counts how far it ran, and whether it was ended. */
function counted(size: number, onEnd: () => void = () => undefined) {
  const pulled = { count: 0 };
  function* generate() {
    try {
      for (;;) yield { value: `${pulled.count++} ${'x'.repeat(size)}` };
    } finally {
      onEnd();
    }
  }
  return { source: generate(), pulled };
}

async function* eachLater(given: readonly string[]) {
  for (const line of given) {
    await Promise.resolve();
    yield line;
  }
}

describe('sendAll', () => {
  it.each([
    ['an array', () => lines(300)],
    ['a generator', () => lines(300).values()],
    ['a set', () => new Set(lines(300))],
    ['an async generator', () => eachLater(lines(300))],
    ['a Readable', () => Readable.from(lines(300))],
    ['a ReadableStream', () => Readable.toWeb(Readable.from(lines(300)))],
  ])('writes everything that %s gives, in order', async (_, source) => {
    await using sim = await start();
    const all = sendAll(sim.kafka(), TOPIC, source() as Iterable<string>, { toRecord });
    const receipts = await sim.run(lastValueFrom(all.pipe(toArray())));
    expect(receipts.map(({ origin }) => origin)).toEqual(lines(300));
    expect(values(sim)).toEqual(lines(300));
  });

  it('completes where there is nothing', async () => {
    await using sim = await start();
    const all = sendAll(sim.kafka(), TOPIC, [] as string[], { toRecord });
    expect(await sim.run(lastValueFrom(all.pipe(toArray())))).toEqual([]);
  });

  it('pulls nothing before it is subscribed to', async () => {
    await using sim = await start();
    const { source, pulled } = counted(10);
    sendAll(sim.kafka(), TOPIC, source);
    await sim.advance(1000);
    expect(pulled.count).toBe(0);
  });

  it('pulls no further than the buffer has room, and goes on when it has', async () => {
    await using sim = await start();
    const bufferMemory = 50_000;
    const { source, pulled } = counted(900);
    sim.cluster.delay('Produce', 10_000);
    const { unsubscribe } = watch(sendAll(sim.kafka(), TOPIC, source, { bufferMemory }));
    await sim.advance(5000);
    // 900 bytes, encoded and as they were given, and some objects: about 21 fill the buffer.
    expect(pulled.count).toBeGreaterThan(16);
    expect(pulled.count).toBeLessThanOrEqual(25);
    const before = pulled.count;
    await sim.advance(10_000);
    expect(pulled.count).toBeGreaterThan(before);
    unsubscribe();
  });

  it('pulls a stream no further than the buffer has room', async () => {
    await using sim = await start();
    let given = 0;
    const stream = new Readable({
      objectMode: true,
      highWaterMark: 1,
      read() {
        this.push(`${given++} ${'x'.repeat(900)}`);
      },
    });
    sim.cluster.delay('Produce', 10_000);
    const options = { bufferMemory: 50_000, toRecord };
    const { unsubscribe } = watch(
      sendAll(sim.kafka(), TOPIC, stream as AsyncIterable<string>, options),
    );
    await sim.advance(5000);
    expect(given).toBeGreaterThan(16);
    expect(given).toBeLessThan(30);
    unsubscribe();
    await sim.calm();
    expect(stream.destroyed).toBe(true);
  });

  it('sends a hundred times its buffer without an overflow', async () => {
    await using sim = await start();
    const source = Array.from({ length: 5000 }, (_, i) => ({ value: `${i} ${'x'.repeat(1000)}` }));
    const options = { bufferMemory: 50_000 };
    const all = sendAll(sim.kafka(), TOPIC, source, options);
    expect(await sim.run(lastValueFrom(all.pipe(toArray())))).toHaveLength(5000);
    expect(sim.eventsOf('dropped')).toEqual([]);
  });

  it('finishes what was taken when the source throws, then fails with that', async () => {
    await using sim = await start();
    function* broken() {
      yield 'a';
      throw new Error('disk');
    }
    const { seen } = watch(sendAll(sim.kafka(), TOPIC, broken(), { toRecord }));
    await sim.until(() => seen.end !== undefined);
    expect(seen.values).toHaveLength(1);
    expect(seen.end).toEqual(new Error('disk'));
  });

  it('leaves nothing behind when the source throws as it is opened', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const source: Iterable<never> = {
      [Symbol.iterator]() {
        throw new Error('locked');
      },
    };
    const made = vi.spyOn(kafka, 'producer');
    await expect(sim.run(lastValueFrom(sendAll(kafka, TOPIC, source)))).rejects.toThrow('locked');
    expect(made.mock.results).toHaveLength(1);
    const producer = made.mock.results[0]!.value as Producer;
    const sent = producer.send({ topic: TOPIC, value: 'v' });
    await expect(sent).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' });
  });

  it('ends its source when a record can not be sent', async () => {
    await using sim = await start();
    let isEnded = false;
    const { source } = counted(10, () => (isEnded = true));
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const { seen } = watch(sendAll(sim.kafka(), TOPIC, source, { bufferMemory: 10_000 }));
    await sim.until(() => seen.end !== undefined);
    expect(isEnded).toBe(true);
    expect(seen.end).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
  });

  it('goes on past a record that can not be sent with onError emit', async () => {
    await using sim = await start();
    const source = [{ value: 'a' }, { value: 5 }, { value: 'c' }];
    const { seen } = watch(sendAll(sim.kafka(), TOPIC, source, { onError: 'emit' }));
    await sim.until(() => seen.end !== undefined);
    expect(values(sim)).toEqual(['a', 'c']);
    expect(seen.values).toHaveLength(3);
    expect(seen.end).toBe('complete');
  });

  it('ends its source at once when it is unsubscribed, and lets accepted records finish', async () => {
    await using sim = await start();
    let isEnded = false;
    const { source, pulled } = counted(900, () => (isEnded = true));
    sim.cluster.delay('Produce', 1000);
    const { unsubscribe } = watch(sendAll(sim.kafka(), TOPIC, source, { bufferMemory: 20_000 }));
    await sim.advance(100);
    unsubscribe();
    expect(isEnded).toBe(true);
    const { count } = pulled;
    await sim.advance(60_000);
    expect(values(sim)).toHaveLength(count);
  });

  it('ends its source at once when it is unsubscribed by what it says of the first value', async () => {
    await using sim = await start();
    const { source, pulled } = counted(10);
    const bad = (value: SinkRecord) => (pulled.count === 1 ? { value: 5 } : value);
    const all = sendAll(sim.kafka(), TOPIC, source, { onError: 'emit', toRecord: bad });
    const first = await sim.run(lastValueFrom(all.pipe(take(1))));
    expect(first).toMatchObject({ error: { code: 'SERIALIZATION_FAILED' } });
    await sim.advance(1000);
    expect(pulled.count).toBe(1);
    expect(values(sim)).toEqual([]);
  });

  it('ends, with the error there was, also where its source fails as it is ended', async () => {
    await using sim = await start();
    function* source() {
      try {
        for (let i = 0; ; i++) yield { value: `${i} ${'x'.repeat(900)}` };
      } finally {
        throw new Error('no end');
      }
    }
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const { seen } = watch(sendAll(sim.kafka(), TOPIC, source(), { bufferMemory: 20_000 }));
    await sim.until(() => seen.end !== undefined);
    expect(seen.end).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
    sim.cluster.delay('Produce', 1000);
    const { unsubscribe } = watch(sendAll(sim.kafka(), TOPIC, source(), { bufferMemory: 20_000 }));
    await sim.advance(100);
    expect(unsubscribe).not.toThrow();
  });

  it('ends a Readable that has nothing to give when it is unsubscribed', async () => {
    await using sim = await start();
    const source = new Readable({ objectMode: true, read: () => undefined });
    const idle = source as AsyncIterable<string>;
    const { unsubscribe } = watch(sendAll(sim.kafka(), TOPIC, idle, { toRecord }));
    await sim.advance(100);
    unsubscribe();
    await sim.calm();
    expect(source.destroyed).toBe(true);
    expect(sim.clock.pending).toBe(0);
  });

  it('ends a ReadableStream that has nothing to give when it is unsubscribed', async () => {
    await using sim = await start();
    let isCancelled = false;
    const source = new ReadableStream<string>({ cancel: () => void (isCancelled = true) });
    const idle = source as unknown as AsyncIterable<string>;
    const { unsubscribe } = watch(sendAll(sim.kafka(), TOPIC, idle, { toRecord }));
    await sim.advance(100);
    unsubscribe();
    await sim.calm();
    expect(isCancelled).toBe(true);
    expect(sim.clock.pending).toBe(0);
  });

  it('ends its source, and completes, when its client is drained', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const source = new Readable({ objectMode: true, read: () => undefined });
    for (const line of lines(3)) source.push(line);
    const { seen } = watch(sendAll(kafka, TOPIC, source as AsyncIterable<string>, { toRecord }));
    await sim.until(() => seen.values.length === 3);
    await sim.run(kafka.drain());
    await sim.calm();
    expect(source.destroyed).toBe(true);
    expect(seen.end).toBe('complete');
    expect(values(sim)).toEqual(lines(3));
  });

  it('leaves a producer open that others share', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer();
    await sim.run(lastValueFrom(sendAll(producer, TOPIC, ['a'], { toRecord })));
    await sim.run(producer.send({ topic: TOPIC, value: 'b' }));
    expect(values(sim)).toEqual(['a', 'b']);
  });

  it('refuses what can not be pulled from, naming toTopic', async () => {
    await using sim = await start();
    expect(() => sendAll(sim.kafka(), TOPIC, 5 as never)).toThrow(/source is 5.*toTopic/);
    expect(() => sendAll(sim.kafka(), TOPIC, null as never)).toThrow(/source/);
    expect(() => sendAll(sim.kafka(), TOPIC, 'big.log' as never)).toThrow(/source is 'big.log'/);
    expect(() => sendAll('localhost' as never, TOPIC, [])).toThrow(/target is 'localhost'/);
    expect(() => sendAll(sim.kafka(), TOPIC, [], null as never)).toThrow(/sendAll: the options/);
    expect(() => sendAll(sim.kafka(), TOPIC, [], { lingerMs: -1 })).toThrow(/sendAll.*lingerMs/);
  });

  it(
    'emits the receipt of a single record, then completes',
    kafkaMarblesAsync(({ sink, expectOutput }) => {
      const all = sendAll(sink('--r'), TOPIC, ['a'], { toRecord });
      expectOutput(all.pipe(map(({ origin }) => origin))).toBe('--(a|)');
    }),
  );

  it(
    'pulls anew for each subscriber',
    kafkaMarblesAsync(({ sink, expectOutput }) => {
      const all = sendAll(sink('-r'), TOPIC, new Set(['a', 'b']), { toRecord });
      const offsets = all.pipe(map(({ offset }) => String(offset)));
      expectOutput(offsets).toBe('         -(01|)');
      expectOutput(offsets, '------^').toBe('-------(23|)');
    }),
  );

  it('ends its source when toRecord throws, and finishes what was taken', async () => {
    let isEnded = false;
    await kafkaMarblesAsync(({ sink, expectOutput, expectReceipts }) => {
      const { source } = counted(1, () => (isEnded = true));
      const producer = sink('--r');
      let count = 0;
      const none = () => {
        if (count++ === 1) throw new Error('no record');
        return { value: 'a' };
      };
      const all = sendAll(producer, TOPIC, source, { toRecord: none }).pipe(
        map(() => 'a'),
        catchError(({ message }: Error) => [message]),
      );
      expectOutput(all).toBe('--(ax|)', { x: 'Cannot make a record of a value: no record' });
      expectReceipts(producer).toBe('--a');
    })();
    expect(isEnded).toBe(true);
  });

  it(
    'pulls while there is room, and emits receipts as they come',
    kafkaMarblesAsync(({ sink, expectOutput, expectReceipts }) => {
      const producer = sink('----r', { maxInFlight: 2 });
      const letters = map(({ origin }: Receipt<string>) => origin);
      const all = sendAll(producer, TOPIC, ['a', 'b', 'c', 'd', 'e'], { toRecord });
      expectOutput(all.pipe(letters)).toBe('     ----(ab)(cd)(e|)');
      expectReceipts(producer).toBe('----(ab)(cd)e');
    }),
  );

  it(
    'has a source that is asked later wait for nothing but room',
    kafkaMarblesAsync(({ sink, expectOutput }) => {
      async function* slow() {
        for (const letter of 'abc') {
          await lastValueFrom(timer(3));
          yield letter;
        }
      }
      const all = sendAll(sink('-r'), TOPIC, slow(), { toRecord });
      expectOutput(all.pipe(map(({ origin }) => origin))).toBe('----a--b--(c|)');
    }),
  );

  it(
    'acks what its records were derived from when they are acknowledged',
    kafkaMarblesAsync(({ records, sink, expectAcks }) => {
      const orders = records('(ab)|');
      const producer = sink('-----r');
      orders
        .pipe(
          map((order) => order.derive()),
          toArray(),
          mergeMap((derived) => sendAll(producer, TOPIC, derived)),
        )
        .subscribe();
      expectAcks(orders).toBe('---------(ab)');
    }),
  );
});
