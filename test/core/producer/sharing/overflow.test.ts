import { MessageChannel } from 'node:worker_threads';
import { from, lastValueFrom, Subject, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { Originating } from '../../../../src/core/records/provenance.js';
import {
  connectProducer,
  createKafka,
  serveProducer,
  toTopic,
  type Producer,
  type SharedProducer,
} from '../../../../src/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../../src/testing/index.js';

const TOPIC = 'results';
/** Room for about 14 of the records that are sent here. */
const bufferMemory = 20_000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp() {
  const cluster = await startEmbeddedKafka({ topics: { [TOPIC]: 1 } });
  const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
  const { port1, port2 } = new MessageChannel();
  const producer = kafka.producer();
  const remote = connectProducer(port2, { bufferMemory });
  closers.push(
    () => cluster.close(),
    () => kafka.close({ timeoutMs: 0 }),
    () => port1.close(),
  );
  const events = [] as { topic: string; partition: number; records: number }[];
  const end = { isComplete: false };
  remote.lifecycle.subscribe({
    next: (event) => events.push(event),
    complete: () => (end.isComplete = true),
  });
  return { cluster, producer, remote, events, end, serve: () => serveProducer(producer, port1) };
}

const numbered = (i: number) => ({ value: `${i} ${'x'.repeat(400)}` });
const numberOf = (value: unknown) => Number(String(value).split(' ')[0]);

function written(cluster: EmbeddedKafka): number[] {
  return cluster.records(TOPIC).map(({ value }) => numberOf(value));
}

/** Pushes records one by one, each in a turn of the event loop of its own, into a broker that stalls. */
async function outrun(
  {
    cluster,
    producer,
    remote,
  }: { cluster: EmbeddedKafka; producer: Producer; remote: SharedProducer },
  overflow: 'drop-oldest' | 'drop-newest',
) {
  await producer.send({ topic: TOPIC, value: '-1' });
  let goOn = () => undefined as unknown;
  const stalled = new Promise<void>((resolve) => (goOn = resolve));
  cluster.intercept('Produce', () => stalled as Promise<undefined>);
  const source = new Subject<{ value: string }>();
  const receipts = lastValueFrom(source.pipe(toTopic(remote, TOPIC, { overflow }), toArray()));
  for (let i = 0; i < 100; i++) {
    source.next(numbered(i));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  source.complete();
  goOn();
  return (await receipts).map(({ origin }) => numberOf(origin.value));
}

describe('drop-oldest with the producer of another thread', () => {
  it('keeps the newest records of a burst', async () => {
    const { cluster, remote, events, serve } = await setUp();
    const all = Array.from({ length: 100 }, (_, i) => numbered(i));
    const receipts = lastValueFrom(
      from(all).pipe(toTopic(remote, TOPIC, { overflow: 'drop-oldest' }), toArray()),
    );
    serve();
    const sent = (await receipts).map(({ origin }) => numberOf(origin.value));
    expect(sent.length).toBeGreaterThan(5);
    expect(sent).toEqual(all.slice(-sent.length).map(({ value }) => numberOf(value)));
    expect(written(cluster)).toEqual(sent);
    expect(events).toEqual(
      Array.from({ length: 100 - sent.length }, () => ({
        type: 'dropped',
        topic: TOPIC,
        partition: -1,
        records: 1,
        reason: 'bufferMemory was used up',
      })),
    );
  });

  it('keeps the newest of what comes while the broker takes nothing, besides what is on its way', async () => {
    const all = await setUp();
    all.serve();
    const sent = await outrun(all, 'drop-oldest');
    expect(sent.length + all.events.length).toBe(100);
    // On their way are those that came first, up to half of the buffer.
    const onTheirWay = sent.findIndex((number, i) => number !== i);
    expect(onTheirWay).toBeGreaterThan(0);
    const newest = sent.slice(onTheirWay);
    expect(newest.length).toBeGreaterThanOrEqual(onTheirWay - 1);
    expect(newest).toEqual(newest.map((_, i) => 100 - newest.length + i));
    expect(written(all.cluster)).toEqual([-1, ...sent]);
  });

  it('drops nothing that was derived from consumed records, nor what others send', async () => {
    const { cluster, remote, events, serve } = await setUp();
    let acked = 0;
    class Derived extends Originating {
      constructor(readonly value: string) {
        super([{ ack: () => acked++, nack: () => undefined }]);
      }
    }
    const all = Array.from({ length: 100 }, (_, i) =>
      i % 10 === 0 ? new Derived(numbered(i).value) : numbered(i),
    );
    const others = [1000, 1001, 1002].map((i) => remote.send({ topic: TOPIC, ...numbered(i) }));
    const receipts = lastValueFrom(
      from(all).pipe(toTopic(remote, TOPIC, { overflow: 'drop-oldest' }), toArray()),
    );
    serve();
    const sent = (await receipts).map(({ origin }) => numberOf(origin.value));
    await Promise.all(others);
    expect(acked).toBe(10);
    expect(sent.length + events.length).toBe(100);
    expect(sent).toEqual([...sent].sort((a, b) => a - b));
    expect(written(cluster)).toEqual(expect.arrayContaining([1000, 1001, 1002, ...sent]));
  });

  it('makes room for one large record by giving up several', async () => {
    const { cluster, remote, events, serve } = await setUp();
    const large = { value: `50 ${'x'.repeat(5000)}` };
    const all = [...Array.from({ length: 50 }, (_, i) => numbered(i)), large, numbered(51)];
    const receipts = lastValueFrom(
      from(all).pipe(toTopic(remote, TOPIC, { overflow: 'drop-oldest' }), toArray()),
    );
    serve();
    const sent = (await receipts).map(({ origin }) => numberOf(origin.value));
    expect(sent.slice(-2)).toEqual([50, 51]);
    expect(sent.length + events.length).toBe(all.length);
    expect(written(cluster)).toEqual(sent);
  });
});

describe('drop-newest with the producer of another thread', () => {
  it('keeps the oldest records, and tells each that it drops', async () => {
    const all = await setUp();
    all.serve();
    const sent = await outrun(all, 'drop-newest');
    expect(sent).toEqual(sent.map((_, i) => i));
    expect(sent.length).toBeGreaterThan(5);
    expect(all.events).toHaveLength(100 - sent.length);
  });
});

describe('the lifecycle of a producer of another thread', () => {
  it('completes when it is closed', async () => {
    const { remote, end, serve } = await setUp();
    serve();
    await remote.send({ topic: TOPIC, value: 'v' });
    expect(end.isComplete).toBe(false);
    await remote.close();
    expect(end.isComplete).toBe(true);
  });

  it('completes when the other thread serves it no more', async () => {
    const { remote, serve } = await setUp();
    const stop = serve();
    const completed = lastValueFrom(remote.lifecycle, { defaultValue: 'completed' });
    stop();
    expect(await completed).toBe('completed');
  });
});

describe('flush() of a producer of another thread', () => {
  it('waits also for what was held back', async () => {
    const { cluster, remote, serve } = await setUp();
    const source = new Subject<{ value: string }>();
    source.pipe(toTopic(remote, TOPIC, { overflow: 'drop-oldest' })).subscribe();
    for (let i = 0; i < 10; i++) source.next(numbered(i));
    const flushed = remote.flush();
    serve();
    await flushed;
    expect(written(cluster)).toEqual(Array.from({ length: 10 }, (_, i) => i));
  });
});
