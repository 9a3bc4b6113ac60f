import { describe, expect, test } from 'vitest';
import type { PromptClient } from '../../../src/protocol.js';
import { HandProducer, routesToOne, type ProducerOptions } from '../../support/hand-producer.js';
import { errors, makeTopic, readLog, useBoth } from '../../support/parity.js';

/** The versions that brokers of these lines know. */
const lines = [
  {
    release: '2.8',
    versions: { produce: 9, init: 4, add: 3, offsets: 3, commit: 3, end: 3 },
    fetch: 12,
    offsetFetch: 7,
  },
  {
    release: '0.11',
    versions: { produce: 3, init: 0, add: 0, offsets: 0, commit: 0, end: 0 },
    fetch: 5,
    offsetFetch: 3,
  },
] as const;

type Line = (typeof lines)[number];
type End = 'commit' | 'abort';

/** One broker that can't be asked how its transactions stand, and what scenarios do with it. */
class OldStage {
  constructor(
    private readonly client: PromptClient,
    readonly name: string,
    private readonly line: Line,
  ) {}

  producer(options: ProducerOptions = {}): HandProducer {
    const { versions } = this.line;
    const all = { transactionalId: this.name, timestamp: Date.now(), versions, ...options };
    return new HandProducer(routesToOne(this.client), all);
  }

  /** One that is initialised. */
  async ready(options: ProducerOptions = {}): Promise<HandProducer> {
    await this.coordinator(this.name, 1);
    const producer = this.producer(options);
    expect(await producer.initAtLast()).toBe('NONE');
    return producer;
  }

  /** Waits until there is a coordinator: the topic for it is made with the first question. */
  async coordinator(key: string, keyType: number): Promise<void> {
    for (;;) {
      const query = { key, keyType };
      const { errorCode } = await this.client.request('FindCoordinator', query, { version: 1 });
      if (errorCode !== 0) continue;
      if (keyType === 1 || !(await this.offsets())[0]!.includes('COORDINATOR')) return;
    }
  }

  topic(partitions = 1): Promise<string> {
    const isLed = (partition: number) => this.log(partition).then(({ error }) => error === 'NONE');
    return makeTopic(this.client, this.name, partitions, isLed);
  }

  /** Ends a transaction, and waits until its markers are written: the end may be repeated then. */
  async end(producer: HandProducer, how: End): Promise<string> {
    const said = await producer[how]();
    while ((await producer[how]()) === 'CONCURRENT_TRANSACTIONS');
    return said;
  }

  /** What a consumer that wants decided records gets of a partition. */
  async log(partition = 0, isolationLevel = 1) {
    const { name: topic, line } = this;
    const query = { topic, partition, isolationLevel, version: line.fetch };
    const log = await readLog(this.client, query);
    // 0.11 doesn't tell it to those who want everything; the embedded broker does.
    return isolationLevel === 0 && line.fetch < 12 ? { ...log, stable: null } : log;
  }

  /** What a group has committed once the end of a transaction has reached it: its broker takes it in later. */
  async decidedOffsets(): Promise<readonly string[]> {
    for (;;) {
      const told = await this.offsets();
      if (!told.some((each) => each.includes('UNSTABLE_OFFSET_COMMIT'))) return told;
    }
  }

  /** What a group has committed; not what is to be, from 2.5 on. */
  async offsets(): Promise<readonly string[]> {
    const { offsetFetch: version } = this.line;
    const query = {
      groupId: this.name,
      topics: [{ name: this.name, partitionIndexes: [0, 1] }],
      ...(version >= 7 && { requireStable: true }),
    };
    const { errorCode, topics } = await this.client.request('OffsetFetch', query, { version });
    const partitions = topics.flatMap((topic) => topic.partitions);
    return [
      errors(errorCode),
      ...partitions.map(({ partitionIndex, committedOffset, errorCode: code, metadata }) =>
        [partitionIndex, committedOffset, errors(code), metadata].join(' '),
      ),
    ];
  }
}

describe.each(lines)('Kafka $release', (line) => {
  const both = useBoth(
    {
      version: line.release,
      properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 50 },
    },
    { version: line.release },
  );
  const compare = (name: string, scenario: (stage: OldStage) => Promise<unknown>) =>
    both.compare((client) => scenario(new OldStage(client, name, line)));

  async function write(producer: HandProducer, topic: string, value: string, partition = 0) {
    return [
      ...(await producer.add([topic, partition])),
      await producer.send(topic, partition, value),
    ];
  }

  test('commits and aborts', () =>
    compare('simple', async (stage) => {
      const topic = await stage.topic(2);
      const producer = await stage.ready();
      const said: unknown[] = [];
      for (const how of ['commit', 'abort', 'commit'] as const) {
        said.push(await write(producer, topic, 'a', 0), await write(producer, topic, 'b', 1));
        said.push(
          await stage.log(),
          await stage.log(0, 0),
          await producer.sendAs(topic, 0, 0, 'a'),
        );
        said.push(await stage.end(producer, how), producer.epoch);
      }
      return [said, await stage.log(0), await stage.log(1), await stage.log(1, 0)];
    }));

  test('ends that come twice, too early or otherwise', () =>
    compare('ends', async (stage) => {
      const topic = await stage.topic();
      const producer = await stage.ready();
      const said: unknown[] = [await producer.commit(), await producer.abort()];
      const others = { commit: 'abort', abort: 'commit' } as const;
      for (const how of ['commit', 'abort'] as const) {
        said.push(await write(producer, topic, 'a'), await stage.end(producer, how));
        said.push(await producer[how](), await producer[others[how]]());
      }
      // 0.11 lets epochs pass that are still to come; the embedded broker refuses them.
      if (line.versions.end > 0) {
        producer.epoch += 5;
        said.push(await producer.commit(), await producer.abort());
      }
      return [said, await stage.log()];
    }));

  test('a successor that fences', () =>
    compare('fencing', async (stage) => {
      const topic = await stage.topic(2);
      const first = await stage.ready();
      const said: unknown[] = [await write(first, topic, 'a')];
      const second = stage.producer();
      said.push(await second.init(), await second.initAtLast(), second.epoch);
      said.push(
        await first.send(topic, 0, 'b'),
        await first.add([topic, 0]),
        await first.add([topic, 1]),
        await first.addOffsets(topic),
        await first.commit(),
        await first.abort(),
      );
      said.push(await write(second, topic, 'c'), await stage.end(second, 'commit'));
      return [said, await stage.log()];
    }));

  test('timeouts that are too long, and transactions that take too long', () =>
    compare('timeouts', async (stage) => {
      const topic = await stage.topic(2);
      const said: unknown[] = [];
      await stage.coordinator(topic, 1);
      for (const timeoutMs of [0, -1, 900_001, 900_000]) {
        said.push(await stage.producer({ timeoutMs }).initAtLast());
      }
      const producer = await stage.ready({ timeoutMs: 500 });
      said.push(await write(producer, topic, 'a'));
      for (;;) {
        const { stable, end } = await stage.log();
        if (stable === end) break;
      }
      said.push(await stage.log(), await producer.send(topic, 0, 'b'));
      while ((await producer.add([topic, 0]))[0] === 'CONCURRENT_TRANSACTIONS');
      said.push(await producer.add([topic, 0]), await producer.commit(), await producer.abort());
      return said;
    }));

  test('strangers, and partitions that there are not', () =>
    compare('strangers', async (stage) => {
      const topic = await stage.topic(2);
      await stage.coordinator(topic, 1);
      const stranger = stage.producer({ transactionalId: 'nobody' });
      stranger.producerId = 987_654;
      stranger.epoch = 0;
      const said: unknown[] = [
        await stranger.add([topic, 0]),
        await stranger.addOffsets(topic),
        await stranger.commit(),
      ];
      const producer = await stage.ready();
      said.push(await producer.add([topic, 0], ['nowhere', 0], [topic, 9]));
      said.push(await write(producer, topic, 'a'), await producer.sendAs(topic, 0, 5, 'b'));
      producer.producerId += 1000;
      said.push(await producer.add([topic, 1]), await producer.commit());
      producer.producerId -= 1000;
      return [said, await stage.end(producer, 'abort'), await stage.log()];
    }));

  // Before 2.5 nobody can ask whether what a transaction has committed counts already.
  test.runIf(line.offsetFetch >= 7)('offsets of groups', () =>
    compare('offsets', async (stage) => {
      const topic = await stage.topic(2);
      const producer = await stage.ready();
      await stage.coordinator(topic, 0);
      const said: unknown[] = [await stage.offsets()];
      for (const how of ['commit', 'abort', 'commit'] as const) {
        said.push(await producer.addOffsets(topic));
        said.push(await producer.commitOffset(topic, [topic, 0, 10 + said.length]));
        said.push(await producer.commitOffset(topic, ['nowhere', 0, 1]));
        said.push(await stage.offsets(), await stage.end(producer, how));
        said.push(await stage.decidedOffsets());
      }
      await stage.ready();
      said.push(await producer.addOffsets(topic));
      return said;
    }),
  );
});
