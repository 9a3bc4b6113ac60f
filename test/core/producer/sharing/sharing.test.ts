import { MessageChannel, Worker } from 'node:worker_threads';
import { from, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  connectProducer,
  createKafka,
  SerializationError,
  serveProducer,
  toTopic,
  type Producer,
} from '../../../../src/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../../src/testing/index.js';
import { rejectionOf } from '../../../support/simulation.js';

const TOPIC = 'results';

/** Runs in a worker: sends `count` records and tells what became of them. */
const workerSource = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { tsImport } = await import('tsx/esm/api');
  const { connectProducer } = await tsImport(workerData.module, import.meta.url);
  const producer = connectProducer(workerData.port);
  const { name, count, exitsEarly } = workerData;
  const sends = Array.from({ length: count }, (_, i) =>
    producer.send({ topic: 'results', partition: 0, value: name + ' ' + i }));
  if (exitsEarly) {
    await sends[0];
    process.exit(0);
  }
  const receipts = await Promise.all(sends);
  await producer.close();
  parentPort.postMessage(receipts.map(({ offset }) => offset));
`;

function startWorker(producer: Producer, data: { name: string; count: number; exitsEarly?: true }) {
  const { port1, port2 } = new MessageChannel();
  serveProducer(producer, port1);
  return new Worker(workerSource, {
    eval: true,
    workerData: {
      ...data,
      port: port2,
      module: new URL('../../../../src/index.ts', import.meta.url).href,
    },
    transferList: [port2],
  });
}

async function withCluster(run: (cluster: EmbeddedKafka, producer: Producer) => Promise<void>) {
  await using cluster = await startEmbeddedKafka({ topics: { [TOPIC]: 1 } });
  await using kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
  await run(cluster, kafka.producer());
}

function values(cluster: EmbeddedKafka): string[] {
  return cluster.records(TOPIC).map(({ value }) => String(value));
}

/** A producer at the other end of a channel in this thread. */
function shared(producer: Producer, options = {}) {
  const { port1, port2 } = new MessageChannel();
  const stop = serveProducer(producer, port1);
  return { remote: connectProducer(port2, options), stop };
}

describe('a producer of another thread', () => {
  it('gives receipts, in the order in which records were sent', () =>
    withCluster(async (cluster, producer) => {
      const { remote } = shared(producer);
      const sends = Array.from({ length: 100 }, (_, i) =>
        remote.send({ topic: TOPIC, value: `${i}` }),
      );
      const receipts = await Promise.all(sends);
      expect(receipts.map(({ offset }) => offset)).toEqual(sends.map((_, i) => i));
      expect(values(cluster)).toEqual(sends.map((_, i) => `${i}`));
      await remote.close();
      await producer.send({ topic: TOPIC, value: 'still open' });
    }));

  it('gives errors as what they are', () =>
    withCluster(async (_, producer) => {
      const { remote } = shared(producer);
      const bad = await rejectionOf(remote.send({ topic: TOPIC, value: 5 }));
      expect(bad).toBeInstanceOf(SerializationError);
      const unknown = await rejectionOf(remote.send({ topic: TOPIC, partition: 9, value: 'v' }));
      expect(unknown).toMatchObject({ code: 'INVALID_PARTITION', context: { topic: TOPIC } });
      await remote.close();
      const late = await rejectionOf(remote.send({ topic: TOPIC, value: 'v' }));
      expect(late).toMatchObject({ code: 'PRODUCER_CLOSED' });
    }));

  it.each([
    { what: 'topic', record: { topic: Symbol(TOPIC) } },
    { what: 'topic', record: { topic: () => TOPIC } },
    { what: 'partition', record: { topic: TOPIC, partition: () => 0 } },
    { what: 'partition', record: { topic: TOPIC, partition: Symbol('0') } },
  ])('fails alone a record whose $what can not cross threads', ({ record }) =>
    withCluster(async (cluster, producer) => {
      const { remote } = shared(producer);
      const outcomes = await Promise.allSettled([
        remote.send({ topic: TOPIC, value: 'a' }),
        remote.send({ value: 'b', ...record } as never),
        remote.send({ topic: TOPIC, value: 'c' }),
      ]);
      expect(outcomes).toMatchObject([
        { status: 'fulfilled' },
        { status: 'rejected', reason: { code: expect.stringMatching(/^INVALID_/) as string } },
        { status: 'fulfilled' },
      ]);
      expect(values(cluster)).toEqual(['a', 'c']);
      await remote.close();
    }),
  );

  it('is refused where something else is given for the producer or the port', () =>
    withCluster((_, producer) => {
      const { port1, port2 } = new MessageChannel();
      expect(() => serveProducer({} as never, port1)).toThrow(ConfigError);
      expect(() => serveProducer(producer, undefined as never)).toThrow(/port.*MessageChannel/);
      expect(() => connectProducer({} as never)).toThrow(/port.*MessageChannel/);
      expect(() => connectProducer(port2, null as never)).toThrow(ConfigError);
      port1.close();
      return Promise.resolve();
    }));

  it('takes no more than its own bufferMemory, and makes others wait', () =>
    withCluster(async (cluster, producer) => {
      const { remote } = shared(producer, { bufferMemory: 2000, maxBlockedSends: 5 });
      const sends = Array.from({ length: 30 }, () =>
        remote.send({ topic: TOPIC, value: 'x'.repeat(100) }),
      );
      const outcomes = await Promise.allSettled(sends);
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      expect(refused.length).toBeGreaterThan(5);
      expect(refused[0]).toMatchObject({ reason: { code: 'TOO_MANY_BLOCKED_SENDS' } });
      expect(values(cluster)).toHaveLength(30 - refused.length);
      await remote.close();
    }));

  it('serves the sinks', () =>
    withCluster(async (cluster, producer) => {
      const { remote } = shared(producer);
      const source = from(['a', 'b', 'c']);
      const toRecord = (value: string) => ({ value });
      const receipts = await lastValueFrom(
        source.pipe(toTopic(remote, TOPIC, { toRecord }), toArray()),
      );
      expect(receipts.map(({ origin }) => origin)).toEqual(['a', 'b', 'c']);
      expect(values(cluster)).toEqual(['a', 'b', 'c']);
      await remote.close();
    }));

  it('tells its partitions, and flushes', () =>
    withCluster(async (cluster, producer) => {
      const { remote } = shared(producer);
      expect(await remote.partitionsFor(TOPIC)).toHaveLength(1);
      void remote.send({ topic: TOPIC, value: 'v' });
      await remote.flush();
      expect(values(cluster)).toEqual(['v']);
      await remote.close();
    }));

  it('flushes what was sent before, also while more and more is sent', () =>
    withCluster(async (cluster) => {
      await using kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
      const { remote } = shared(kafka.producer({ bufferMemory: 5000 }));
      let sent = 0;
      let isFlushed = false;
      const goOn = async (): Promise<void> => {
        while (sent < 3000 && !isFlushed) {
          await remote.send({ topic: TOPIC, value: `${sent++} ${'x'.repeat(100)}` });
        }
      };
      const senders = Array.from({ length: 100 }, goOn);
      await remote.flush();
      isFlushed = true;
      const sentByThen = sent;
      await Promise.all(senders);
      expect(sentByThen).toBeLessThan(1000);
      await remote.close();
    }));

  it('fails what is not settled when the service ends', () =>
    withCluster(async (cluster, producer) => {
      const { remote, stop } = shared(producer);
      cluster.delay('Produce', 1000);
      const sent = rejectionOf(remote.send({ topic: TOPIC, value: 'v' }));
      await cluster.whenRequested('Produce');
      const unsent = rejectionOf(remote.send({ topic: TOPIC, value: 'w' }));
      stop();
      expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: true });
      expect(await unsent).toMatchObject({ code: 'PRODUCER_CLOSED' });
    }));

  it('tells of what failed whether it may have been written', () =>
    withCluster(async (cluster, producer) => {
      const { remote } = shared(producer);
      cluster.delay('Produce', 60_000);
      const sent = rejectionOf(remote.send({ topic: TOPIC, value: 'v' }));
      await cluster.whenRequested('Produce');
      await producer.close({ timeoutMs: 0 });
      expect(await sent).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: true });
    }));
});

describe('worker threads', () => {
  it(
    'share one producer, each in its order',
    () =>
      withCluster(async (cluster, producer) => {
        const names = ['a', 'b'];
        const workers = names.map((name) => startWorker(producer, { name, count: 200 }));
        const offsets = await Promise.all(
          workers.map(
            (worker) =>
              new Promise<number[]>((resolve, reject) => {
                worker.once('message', resolve);
                worker.once('error', reject);
              }),
          ),
        );
        const log = values(cluster);
        expect(log).toHaveLength(400);
        for (const [i, name] of names.entries()) {
          const own = log.filter((value) => value.startsWith(name));
          expect(own).toEqual(Array.from({ length: 200 }, (_, n) => `${name} ${n}`));
          expect(offsets[i]!.map((offset) => log[offset])).toEqual(own);
        }
      }),
    20_000,
  );

  it(
    'that exit in the middle leave the producer and the others alone',
    () =>
      withCluster(async (cluster, producer) => {
        const worker = startWorker(producer, { name: 'gone', count: 1000, exitsEarly: true });
        await new Promise((resolve) => worker.once('exit', resolve));
        await producer.send({ topic: TOPIC, value: 'still here' });
        await producer.flush();
        const gone = values(cluster).filter((value) => value.startsWith('gone'));
        expect(gone).toEqual(gone.map((_, i) => `gone ${i}`));
        expect(gone.length).toBeGreaterThan(0);
      }),
    20_000,
  );
});
