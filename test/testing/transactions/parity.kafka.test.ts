import { describe, expect, test } from 'vitest';
import type { PromptClient } from '../../../src/protocol.js';
import { HandProducer, routesToOne, type ProducerOptions } from '../../support/hand-producer.js';
import { errors, makeTopic, readLog, useBoth } from '../../support/parity.js';

/**
 * One broker, and what scenarios do with it: the same transactions on a real one and on an embedded one,
 * sent by hand. What they answer, and what is in the log in the end, is compared as a whole.
 */
class Stage {
  constructor(
    readonly client: PromptClient,
    /** In names of topics, groups and transactional ids, for each scenario to have its own. */
    readonly name: string,
    private readonly transactionVersion: 1 | 2,
  ) {}

  producer(options: ProducerOptions = {}): HandProducer {
    const { transactionVersion, name: transactionalId } = this;
    const timestamp = Date.now();
    const all = { transactionVersion, transactionalId, timestamp, ...options };
    return new HandProducer(routesToOne(this.client), all);
  }

  /** One that is initialised. */
  async ready(options: ProducerOptions = {}): Promise<HandProducer> {
    const producer = this.producer(options);
    await this.coordinator(producer.transactionalId, 1);
    expect(await producer.initAtLast()).toBe('NONE');
    return producer;
  }

  /** Waits until the broker coordinates: the topic for it is made with the first question. */
  async coordinator(key: string, keyType: number): Promise<void> {
    const query = { keyType, coordinatorKeys: [key] };
    for (;;) {
      const { coordinators } = await this.client.request('FindCoordinator', query);
      const error =
        keyType === 0 ? (await this.offsets(key))[0]! : (await this.described(key)).error;
      if (coordinators[0]!.errorCode === 0 && !error.includes('COORDINATOR')) return;
    }
  }

  topic(partitions = 1): Promise<string> {
    const isLed = (partition: number) =>
      this.end(partition, 0).then(({ error }) => error === 'NONE');
    return makeTopic(this.client, this.name, partitions, isLed);
  }

  /** How the transaction stands, when its markers are written. */
  async settled(transactionalId = this.name) {
    for (;;) {
      const found = await this.described(transactionalId);
      if (!found.state.startsWith('Prepare')) return found;
    }
  }

  async described(transactionalId = this.name) {
    const { transactionStates } = await this.client.request('DescribeTransactions', {
      transactionalIds: [transactionalId],
    });
    const { errorCode, transactionState, transactionTimeoutMs, producerEpoch, topics } =
      transactionStates[0]!;
    const places = topics.flatMap(({ topic, partitions }) =>
      partitions.map((index) => (topic.startsWith('__') ? topic : `${topic}-${index}`)),
    );
    return {
      error: errors(errorCode),
      state: transactionState,
      timeoutMs: transactionTimeoutMs,
      epoch: producerEpoch,
      places: places.sort(),
    };
  }

  async end(partitionIndex = 0, isolationLevel = 1) {
    const { topics } = await this.client.request('ListOffsets', {
      replicaId: -1,
      isolationLevel,
      topics: [{ name: this.name, partitions: [{ partitionIndex, timestamp: -1n }] }],
    });
    const { errorCode, offset } = topics[0]!.partitions[0]!;
    return { error: errors(errorCode), offset };
  }

  /** What a consumer that wants decided records gets of a partition. */
  log(partition = 0, isolationLevel = 1) {
    return readLog(this.client, { topic: this.name, partition, isolationLevel, version: 12 });
  }

  async offsets(groupId = this.name, { requireStable = true, all = false } = {}) {
    const { groups } = await this.client.request(
      'OffsetFetch',
      {
        requireStable,
        groups: [
          {
            groupId,
            topics: all ? null : [{ name: this.name, partitionIndexes: [0, 1] }],
          },
        ],
      },
      { version: 9 },
    );
    const { errorCode, topics } = groups[0]!;
    return [
      errors(errorCode),
      ...topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, committedOffset, errorCode: code, metadata }) =>
          [partitionIndex, committedOffset, errors(code), metadata].join(' '),
        ),
      ),
    ];
  }

  async producers(partition = 0) {
    const { topics } = await this.client.request('DescribeProducers', {
      topics: [{ name: this.name, partitionIndexes: [partition] }],
    });
    const { errorCode, activeProducers } = topics[0]!.partitions[0]!;
    return [
      errors(errorCode),
      ...activeProducers.map(({ producerEpoch, lastSequence, currentTxnStartOffset, ...rest }) => ({
        producerEpoch,
        lastSequence,
        currentTxnStartOffset,
        hasTimestamp: rest.lastTimestamp > 0,
        hasEnded: rest.coordinatorEpoch >= 0,
      })),
    ];
  }
}

describe.each([1, 2] as const)('with transaction.version %i', (transactionVersion) => {
  const features = { 'transaction.version': transactionVersion };
  const both = useBoth(
    {
      version: '4.3',
      features,
      properties: {
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': 50,
        'group.consumer.assignment.interval.ms': 0,
      },
    },
    { features },
  );
  const compare = (name: string, scenario: (stage: Stage) => Promise<unknown>) =>
    both.compare((client) => scenario(new Stage(client, name, transactionVersion)));

  /** Writes to a partition, which older producers have to add before. */
  async function write(producer: HandProducer, topic: string, value: string, partition = 0) {
    const added = transactionVersion === 1 ? await producer.add([topic, partition]) : [];
    return [...added, await producer.send(topic, partition, value)];
  }

  test('commits and aborts', () =>
    compare('simple', async (stage) => {
      const topic = await stage.topic(2);
      const producer = await stage.ready();
      const said: unknown[] = [await stage.described()];
      for (const isCommitted of [true, false, true]) {
        said.push(await write(producer, topic, 'a', 0), await write(producer, topic, 'b', 1));
        said.push(await stage.described(), await stage.log(), await stage.end(0, 0));
        said.push(await stage.producers());
        said.push(await producer.sendAs(topic, 0, 0, 'a'));
        said.push(isCommitted ? await producer.commit() : await producer.abort());
        said.push(await stage.settled(), producer.epoch);
      }
      said.push(await stage.log(0), await stage.log(1), await stage.log(1, 0), await stage.end());
      said.push(await stage.producers());
      return said;
    }));

  test('ends that come twice, too early or otherwise', () =>
    compare('ends', async (stage) => {
      const topic = await stage.topic();
      const producer = await stage.ready();
      const said: unknown[] = [];
      const end = async (how: 'commit' | 'abort', epoch = producer.epoch) => {
        producer.epoch = epoch;
        const error = await producer[how]();
        said.push([how, epoch, error, producer.epoch, await stage.settled()]);
      };
      await end('commit');
      await end('abort');
      await end('abort');
      const first = producer.epoch;
      said.push(await write(producer, topic, 'a'));
      await end('commit');
      const second = producer.epoch;
      await end('commit', first);
      await end('abort', first);
      await end('commit', second);
      await end('abort', second);
      await end('abort', first + 5);
      producer.epoch = (await stage.described()).epoch;
      said.push(await write(producer, topic, 'b'));
      await end('abort');
      await end('abort');
      await end('commit');
      return [said, await stage.log()];
    }));

  test('a successor that fences', () =>
    compare('fencing', async (stage) => {
      const topic = await stage.topic(2);
      const first = await stage.ready();
      const said: unknown[] = [await write(first, topic, 'a')];
      const second = stage.producer();
      said.push(await second.init(), await stage.settled());
      said.push(await second.initAtLast(), second.epoch, await stage.described());
      const claim = { producerId: first.producerId, producerEpoch: first.epoch };
      said.push(
        await first.send(topic, 0, 'b'),
        await first.send(topic, 1, 'b'),
        await first.add([topic, 0]),
        await first.add([topic, 1]),
        await first.addOffsets(topic),
        await first.commit(),
        await first.abort(),
        await first.init(claim),
      );
      said.push(await write(second, topic, 'c'), await second.commit(), await stage.settled());
      return [said, await stage.log(), await stage.producers()];
    }));

  test('a producer that says who it was', () =>
    compare('claims', async (stage) => {
      const topic = await stage.topic();
      const producer = await stage.ready();
      const { producerId } = producer;
      const said: unknown[] = [];
      const init = async (producerEpoch: number, id = producerId) => {
        said.push([await producer.init({ producerId: id, producerEpoch }), producer.epoch]);
      };
      await init(0);
      await init(0);
      await init(1);
      await init(0);
      await init(7);
      await init(0, producerId + 1000);
      await init(-1);
      await init(0, -1);
      said.push(await write(producer, topic, 'a'));
      await init(producer.epoch);
      said.push(await stage.settled());
      await init(producer.epoch);
      await init(producer.epoch + 1);
      said.push(await producer.initAtLast(), producer.epoch, await stage.log());
      return said;
    }));

  test('timeouts that are too long, and transactions that take too long', () =>
    compare('timeouts', async (stage) => {
      const topic = await stage.topic(2);
      const said: unknown[] = [];
      for (const timeoutMs of [0, -1, 900_001, 900_000]) {
        said.push(await stage.producer({ timeoutMs }).init());
      }
      const producer = await stage.ready({ timeoutMs: 500 });
      said.push(await write(producer, topic, 'a'));
      const { producerId, epoch } = producer;
      while ((await stage.described()).state !== 'CompleteAbort');
      said.push(await stage.described(), await stage.log());
      said.push(
        await producer.send(topic, 0, 'b'),
        await producer.send(topic, 1, 'b'),
        await producer.add([topic, 0]),
        await producer.commit(),
        await producer.abort(),
        producer.epoch,
      );
      producer.epoch = epoch;
      said.push(await producer.init({ producerId, producerEpoch: epoch }), producer.epoch);
      return said;
    }));

  test('strangers, and partitions that nobody added', () =>
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
        await stranger.send(topic, 0, 'a'),
        await stage.described('nobody'),
        await stage.described(''),
      ];
      for (const produce of [9, 10, 11, 12]) {
        const producer = await stage.ready({ versions: { produce } });
        said.push(await producer.send(topic, 0, 'a'), await stage.described());
        producer.producerId += 1000;
        said.push(await producer.send(topic, 1, 'a'), await producer.add([topic, 1]));
      }
      const producer = await stage.ready();
      said.push(await producer.add([topic, 0], ['nowhere', 0], [topic, 9]));
      said.push(await producer.sendAs(topic, 0, 5, 'a'));
      return [said, await stage.log()];
    }));

  test('old versions of the requests', () =>
    compare('old', async (stage) => {
      const topic = await stage.topic();
      const versions = { init: 3, add: 1, offsets: 1, end: 1, produce: 3, commit: 2 };
      const producer = await stage.ready({ versions });
      const said: unknown[] = [await producer.add([topic, 0]), await producer.send(topic, 0, 'a')];
      said.push(await producer.commit(), await stage.settled());
      await stage.ready();
      const claim = { producerId: producer.producerId, producerEpoch: producer.epoch };
      said.push(
        await producer.add([topic, 0]),
        await producer.addOffsets(topic),
        await producer.commit(),
        await producer.init(claim),
        await producer.send(topic, 0, 'b'),
      );
      return [said, await stage.log()];
    }));

  test('offsets of groups', () =>
    compare('offsets', async (stage) => {
      const topic = await stage.topic(2);
      await stage.coordinator(topic, 0);
      const said: unknown[] = [await stage.offsets(), await stage.offsets(topic, { all: true })];
      const producer = await stage.ready();
      const add = async () => {
        if (transactionVersion === 1) said.push(await producer.addOffsets(topic));
      };
      for (const isCommitted of [true, false, true]) {
        await add();
        said.push(await producer.commitOffset(topic, [topic, 0, 10 + said.length]));
        said.push(
          await stage.described(),
          await stage.offsets(),
          await stage.offsets(topic, { requireStable: false }),
        );
        said.push(await stage.offsets(topic, { all: true }));
        said.push(isCommitted ? await producer.commit() : await producer.abort());
        said.push(
          await stage.settled(),
          await stage.offsets(),
          await stage.offsets(topic, { all: true }),
        );
      }
      return said;
    }));

  test('offsets of groups that were not added, or of fenced producers', () =>
    compare('late-offsets', async (stage) => {
      const topic = await stage.topic(2);
      await stage.coordinator(topic, 0);
      const said: unknown[] = [];
      for (const commit of [2, 3, 4, 5]) {
        const producer = await stage.ready({ versions: { commit } });
        said.push(await producer.commitOffset(topic, [topic, 0, 1]), await stage.described());
        said.push(await producer.commitOffset(topic, ['nowhere', 0, 1]));
        said.push(await producer.commitOffset('', [topic, 0, 1]));
        await stage.ready();
        said.push(await producer.commitOffset(topic, [topic, 0, 1]));
        producer.producerId += 1000;
        said.push(await producer.commitOffset(topic, [topic, 0, 1]));
      }
      return said;
    }));

  test('offsets of members', () =>
    compare('members', async (stage) => {
      const topic = await stage.topic(2);
      await stage.coordinator(topic, 0);
      const producer = await stage.ready();
      const commit = async (options: object) => {
        if (transactionVersion === 1) await producer.addOffsets(topic);
        return [options, await producer.commitOffset(topic, [topic, 0, 1], options)];
      };
      const said: unknown[] = [await commit({ generationId: 1, memberId: 'm' })];
      const { memberId, generationId } = await join(stage);
      const stranger = 'stranger';
      for (const options of [
        {},
        { generationId },
        { generationId: generationId + 1 },
        { memberId: stranger },
        { memberId: stranger, generationId },
        { groupInstanceId: 'i' },
      ]) {
        said.push(await commit(options));
      }
      const mine = { memberId };
      const answers = [
        await commit(mine),
        await commit({ ...mine, generationId }),
        await commit({ ...mine, generationId: generationId + 1 }),
        await commit({ ...mine, generationId: generationId - 1 }),
        await commit({ ...mine, generationId, groupInstanceId: 'i' }),
      ];
      said.push(answers.map(([, error]) => error));
      return said;
    }));

  test('offsets of members of the consumer protocol', () =>
    compare('consumers', async (stage) => {
      const topic = await stage.topic(2);
      await stage.coordinator(topic, 0);
      const producer = await stage.ready();
      const commit = async (options: object) => {
        if (transactionVersion === 1) await producer.addOffsets(topic);
        return producer.commitOffset(topic, [topic, 0, 1], options);
      };
      const memberId = 'AAAAAAAAAAAAAAAAAAAAAQ';
      const heartbeat = {
        groupId: topic,
        memberId,
        memberEpoch: 0,
        rebalanceTimeoutMs: 10_000,
        subscribedTopicNames: [topic],
        topicPartitions: [],
      };
      const { memberEpoch: generationId } = await stage.client.request(
        'ConsumerGroupHeartbeat',
        heartbeat,
      );
      const said: unknown[] = [];
      for (const options of [
        {},
        { generationId },
        { memberId },
        { memberId, generationId },
        { memberId, generationId: generationId + 1 },
        { memberId, generationId: generationId - 1 },
        { memberId: 'stranger', generationId },
        { memberId: 'stranger' },
      ]) {
        said.push(await commit(options));
      }
      return said;
    }));

  test('ListTransactions', () =>
    compare('listed', async (stage) => {
      const topic = await stage.topic();
      const open = await stage.ready({ transactionalId: 'listed-open' });
      await write(open, topic, 'a');
      const ended = await stage.ready({ transactionalId: 'listed-ended' });
      await write(ended, topic, 'a');
      await ended.commit();
      await stage.settled('listed-ended');
      await stage.ready({ transactionalId: 'listed-empty' });
      const list = async (query: object) => {
        const answer = await stage.client.request('ListTransactions', {
          stateFilters: [],
          producerIdFilters: [],
          ...query,
        });
        const { errorCode, transactionStates, unknownStateFilters } = answer;
        const found = transactionStates
          .filter(({ transactionalId }) => transactionalId.startsWith('listed'))
          .map(({ transactionalId, transactionState }) => `${transactionalId} ${transactionState}`);
        return [errors(errorCode), found.sort(), unknownStateFilters];
      };
      const said = [
        await list({}),
        await list({ stateFilters: ['Ongoing', 'nonsense', 'Dead'] }),
        await list({ stateFilters: ['ongoing'] }),
        await list({ producerIdFilters: [open.producerId] }),
        await list({ durationFilter: 3_600_000 }),
        await list({ transactionalIdPattern: 'listed-e.*' }),
        await list({ transactionalIdPattern: 'listed' }),
        await list({ transactionalIdPattern: '(' }),
        await list({ transactionalIdPattern: '' }),
      ];
      await open.abort();
      return said;
    }));
});

/** Has one member join a group of the classic protocol. */
async function join({ client, name }: Stage) {
  const member = {
    groupId: name,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
  };
  const first = await client.request('JoinGroup', { ...member, memberId: '' });
  const { memberId } = first;
  const { generationId } = await client.request('JoinGroup', { ...member, memberId });
  await client.request('SyncGroup', {
    groupId: name,
    generationId,
    memberId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [{ memberId, assignment: Buffer.alloc(0) }],
  });
  return { memberId, generationId };
}
