import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../../src/core/cluster/index.js';
import type { KafkaError } from '../../../src/index.js';
import { TimeoutError } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const MINUTE = 60_000;
/** An answer that is retriable and tells nothing. */
const BROKEN = { brokers: [], topics: [], errorCode: 7 };
const DESCRIBE = { includeClusterAuthorizedOperations: false };

function requests(sim: Simulation, api: string): number {
  return sim.cluster.inspect().requests[api] ?? 0;
}

function connections(sim: Simulation): number {
  return sim.cluster.inspect().brokers.reduce((sum, broker) => sum + broker.connections, 0);
}

function ensure(sim: Simulation, client: Cluster, ...topics: string[]) {
  return sim.run(client.ensureTopics(topics, { deadline: sim.clock.monotonic() + MINUTE }));
}

/** The broker that a client asks for metadata. */
async function brokerAsked(sim: Simulation, client: Cluster): Promise<number> {
  const refresh = () => sim.run(client.refresh({ deadline: sim.clock.monotonic() + MINUTE }));
  const asked = () => sim.cluster.inspect().brokers.map(({ requests: of }) => of['Metadata'] ?? 0);
  await refresh();
  const before = asked();
  await refresh();
  return sim.cluster.brokerIds[asked().findIndex((count, i) => count > before[i]!)]!;
}

/** Refuses connections to a broker, or holds them open without a word. */
function mistreat(sim: Simulation, host: string, how: 'refuse' | 'swallow') {
  const { transport } = sim.cluster;
  return {
    open(...[address, events, options]: Parameters<typeof transport.open>) {
      if (address.host !== host) return transport.open(address, events, options);
      const link = { queuedBytes: 0, write: () => undefined, destroy: () => undefined };
      if (how === 'refuse') queueMicrotask(() => events.onClose(new Error('refused')));
      else
        sim.clock.schedule((options as { setupTimeoutMs: number }).setupTimeoutMs, () =>
          events.onClose(new Error('no connection in time')),
        );
      return link;
    },
  };
}

describe('bootstrap', () => {
  it('opens no connection before something is asked', async () => {
    await using sim = await Simulation.start();
    sim.client();
    await sim.advance(10 * MINUTE);
    expect(connections(sim)).toBe(0);
    expect(sim.clock.pending).toBe(0);
  });

  it.each([1, 2, 3, 4, 5])(
    'goes on to the next address where one is refused (seed %i)',
    async (seed) => {
      await using sim = await Simulation.start({ topics: { orders: 1 } }, seed);
      const bootstrapServers = ['nobody:9092', 'nowhere:1', sim.cluster.bootstrapServers];
      const client = sim.client({ bootstrapServers });
      const { topics } = await ensure(sim, client, 'orders');
      expect(topics.get('orders')!.partitions).toHaveLength(1);
      expect(sim.clock.monotonic()).toBeLessThan(1000);
    },
  );

  it('goes on after the setup timeout where an address stays silent', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { orders: 1 } });
    const transport = mistreat(sim, 'broker-1', 'swallow');
    const client = sim.client({ transport });
    await ensure(sim, client, 'orders');
    expect(sim.clock.monotonic()).toBeLessThan(15_000);
  });

  it('names what was missing and what kept it from being found when no address works', async () => {
    await using sim = await Simulation.start();
    const client = sim.client({ bootstrapServers: 'nobody:9092' });
    const error = await rejectionOf(ensure(sim, client, 'orders'));
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).message).toMatch(/orders.*nobody:9092.*ECONNREFUSED/);
  });

  it('gives the bootstrap connection back once the brokers are known', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    await ensure(sim, sim.client(), 'orders');
    expect(connections(sim)).toBe(0);
  });
});

describe('what is known of the cluster', () => {
  it('is asked for once, however many want it', async () => {
    await using sim = await Simulation.start({ topics: { a: 1, b: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const before = requests(sim, 'Metadata');
    await Promise.all([
      ensure(sim, client, 'b'),
      ensure(sim, client, 'b'),
      ensure(sim, client, 'a'),
    ]);
    expect(requests(sim, 'Metadata')).toBe(before + 1);
  });

  it('is never asked for twice at once', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    let atOnce = 0;
    let most = 0;
    sim.cluster.intercept('Metadata', async () => {
      most = Math.max(most, ++atOnce);
      await new Promise<void>((resolve) => sim.clock.schedule(500, resolve));
      atOnce--;
      return undefined;
    });
    for (let i = 0; i < 50; i++) {
      client.requestMetadataUpdate();
      await sim.advance(37);
    }
    expect(most).toBe(1);
  });

  it('is told to who asks while a request for it is failing by the next that does not', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    await sim.advance(1000);
    const before = requests(sim, 'Metadata');
    const undo = sim.cluster.intercept('Metadata', () => BROKEN);
    sim.cluster.delay('Metadata', 10);
    client.requestMetadataUpdate();
    await sim.until(() => requests(sim, 'Metadata') > before);
    undo();
    await sim.run(client.refresh({ deadline: sim.clock.monotonic() + MINUTE }));
    expect(requests(sim, 'Metadata') - before).toBe(2);
  });

  it('is refreshed when it is as old as metadataMaxAgeMs', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ metadataMaxAgeMs: MINUTE });
    await ensure(sim, client, 'a');
    const before = requests(sim, 'Metadata');
    await sim.advance(MINUTE - 1000);
    expect(requests(sim, 'Metadata')).toBe(before);
    await sim.advance(1000);
    expect(requests(sim, 'Metadata')).toBe(before + 1);
  });

  it('is asked for with growing pauses while a partition has no leader', async () => {
    await using sim = await Simulation.start({ brokers: 1, topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const before = requests(sim, 'Metadata');
    for (let i = 0; i < 1000; i++) {
      client.requestMetadataUpdate();
      await sim.advance(10);
    }
    const asked = requests(sim, 'Metadata') - before;
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(30);
  });

  it('is asked for at once where a topic is new, also right after another answer', async () => {
    await using sim = await Simulation.start({ topics: { a: 1, b: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const start = sim.clock.monotonic();
    await ensure(sim, client, 'b');
    expect(sim.clock.monotonic()).toBe(start);
  });

  it('contains only topics that are in use: others are forgotten after five idle minutes', async () => {
    await using sim = await Simulation.start({ topics: { used: 1, idle: 1 } });
    const client = sim.client({ metadataMaxAgeMs: MINUTE });
    await ensure(sim, client, 'used', 'idle');
    for (let minute = 0; minute < 7; minute++) {
      client.topic('used');
      await sim.advance(MINUTE);
    }
    expect([...client.metadata.topics.keys()]).toEqual(['used']);
  });

  it('is not asked for any more once no topic is in use', async () => {
    await using sim = await Simulation.start({ topics: { idle: 1 } });
    const client = sim.client({ metadataMaxAgeMs: MINUTE });
    await ensure(sim, client, 'idle');
    await sim.advance(20 * MINUTE);
    const before = requests(sim, 'Metadata');
    await sim.advance(60 * MINUTE);
    expect(requests(sim, 'Metadata')).toBe(before);
    expect(connections(sim)).toBe(0);
  });

  it('is kept fresh again once a topic is used anew after nobody answered and nobody asked', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ metadataMaxAgeMs: MINUTE });
    await ensure(sim, client, 'a');
    const undo = sim.cluster.intercept('Metadata', () => BROKEN);
    await sim.advance(30 * MINUTE);
    undo();
    for (let minute = 0; minute < 5; minute++) {
      client.topic('a');
      await sim.advance(MINUTE);
      expect(client.metadataAgeMs).toBeLessThanOrEqual(MINUTE);
    }
  });

  it('is asked for again and again, with growing pauses, while a topic is in use and nobody answers', async () => {
    await using sim = await Simulation.start({ topics: { used: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'used');
    const before = requests(sim, 'Metadata');
    const undo = sim.cluster.intercept('Metadata', () => BROKEN);
    client.requestMetadataUpdate();
    const asked: number[] = [];
    for (const ms of [1000, MINUTE]) {
      await sim.advance(ms);
      asked.push(requests(sim, 'Metadata') - before);
    }
    expect(asked[0]).toBeGreaterThanOrEqual(3);
    expect(asked[0]).toBeLessThanOrEqual(6);
    // A second's pause at most, and a fifth more or less.
    expect(asked[1]! - asked[0]!).toBeGreaterThan(40);
    expect(asked[1]! - asked[0]!).toBeLessThan(80);
    undo();
    client.requestMetadataUpdate();
    await sim.advance(2000);
    expect(client.metadataAgeMs).toBeLessThan(2000);
  });

  it.each<[string, (sim: Simulation, client: Cluster) => Promise<unknown>]>([
    [
      'no topic was ever used',
      async (sim, client) => {
        client.requestMetadataUpdate();
        await sim.advance(1000);
      },
    ],
    [
      'the topics are idle',
      async (sim, client) => {
        client.topic('idle');
        client.requestMetadataUpdate();
        await sim.advance(6 * MINUTE);
      },
    ],
    [
      'whoever waited has given up',
      (sim, client) => {
        const deadline = sim.clock.monotonic() + 3000;
        return rejectionOf(sim.run(client.refresh({ deadline })));
      },
    ],
    [
      'whoever waited called it off',
      async (sim, client) => {
        const abort = new AbortController();
        const waiting = client.refresh({ deadline: Infinity, signal: abort.signal });
        await sim.advance(3000);
        abort.abort();
        await rejectionOf(waiting);
      },
    ],
  ])('is not asked for any more where nobody answers and %s', async (_, use) => {
    await using sim = await Simulation.start({ topics: { idle: 1 } });
    sim.cluster.intercept('Metadata', () => BROKEN);
    const client = sim.client();
    await use(sim, client);
    const before = requests(sim, 'Metadata');
    expect(before).toBeGreaterThan(0);
    await sim.advance(60 * MINUTE);
    expect(requests(sim, 'Metadata')).toBe(before);
    expect(sim.clock.pending).toBe(0);
  });

  it('is asked for again when somebody comes back after nobody answered', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const undo = sim.cluster.intercept('Metadata', () => BROKEN);
    const client = sim.client();
    client.requestMetadataUpdate();
    await sim.advance(10 * MINUTE);
    undo();
    const startedAt = sim.clock.monotonic();
    const { topics } = await ensure(sim, client, 'a');
    expect(topics.get('a')!.partitions).toHaveLength(1);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
  });

  it('is asked for after a broker in use has hung up', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { a: 2 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const channel = client.channel(2, 'produce');
    await sim.run(channel.ready());
    await sim.cluster.stop(2);
    await sim.advance(2000);
    expect(client.metadata.topics.get('a')!.partitions.map(({ leader }) => leader)).toEqual([1, 1]);
  });

  it('holds an error only as long as it is true', async () => {
    await using sim = await Simulation.start({ topics: { secret: 1 } });
    const client = sim.client();
    const undo = sim.cluster.intercept('Metadata', ({ body }) => ({
      brokers: [{ nodeId: 1, ...sim.cluster.addressOf(1) }],
      controllerId: 1,
      topics: (body.topics ?? []).map(({ name }) => ({ errorCode: 29, name, partitions: [] })),
    }));
    const { topics } = await ensure(sim, client, 'secret');
    expect(topics.get('secret')!.errorCode).toBe(29);
    undo();
    const again = await ensure(sim, client, 'secret');
    expect(again.topics.get('secret')!.errorCode).toBe(0);
  });

  it('is asked of others where a broker keeps telling the same, for it may be cut off', async () => {
    await using sim = await Simulation.start({ brokers: 3, topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const broker = await brokerAsked(sim, client);
    const told = [...client.metadata.brokers.values()].map(({ id: nodeId, host, port }) => ({
      nodeId,
      host,
      port,
    }));
    // It never hears of the new leader.
    sim.cluster.intercept('Metadata', () => ({ brokers: told, topics: [] }), { broker });
    const { leader } = client.metadata.topics.get('a')!.partitions[0]!;
    sim.cluster.moveLeader('a', 0, (leader % 3) + 1);
    const start = sim.clock.monotonic();
    while (client.metadata.topics.get('a')!.partitions[0]!.leader === leader) {
      client.requestMetadataUpdate();
      await sim.advance(100);
      expect(sim.clock.monotonic() - start).toBeLessThan(5000);
    }
  });

  it('is asked of another where a broker can not tell', async () => {
    await using sim = await Simulation.start({ brokers: 3, topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const broker = await brokerAsked(sim, client);
    sim.cluster.intercept('Metadata', () => BROKEN, { broker });
    const before = requests(sim, 'Metadata');
    await sim.run(client.refresh({ deadline: sim.clock.monotonic() + MINUTE }));
    expect(requests(sim, 'Metadata') - before).toBeLessThanOrEqual(2);
  });

  it('stays what it is where a broker that is starting knows of none yet', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    let answers = 0;
    sim.cluster.intercept('Metadata', () => {
      const unknown = { errorCode: 3, name: 'a', partitions: [] };
      return answers++ < 2 ? { brokers: [], topics: [unknown] } : undefined;
    });
    await sim.run(client.refresh({ deadline: sim.clock.monotonic() + MINUTE }));
    expect(answers).toBe(3);
    const changes = sim.eventsOf('metadata-changed').flatMap((event) => event.changes);
    expect(changes).not.toContainEqual({ type: 'topic-removed', topic: 'a' });
    expect(client.metadata.topics.get('a')!.partitions).toHaveLength(1);
  });

  it('waits for a topic that is still being created', async () => {
    await using sim = await Simulation.start({ autoCreateTopicsEnable: false });
    const client = sim.client();
    const waiting = ensure(sim, client, 'late');
    sim.clock.schedule(3000, () => sim.cluster.createTopic('late'));
    const { topics } = await waiting;
    expect(topics.get('late')!.partitions).toHaveLength(1);
  });

  it('stops waiting when told so', async () => {
    await using sim = await Simulation.start({ autoCreateTopicsEnable: false });
    const client = sim.client();
    const abort = new AbortController();
    const deadline = sim.clock.monotonic() + MINUTE;
    const waiting = client.ensureTopics(['late'], { deadline, signal: abort.signal });
    sim.clock.schedule(500, () => abort.abort());
    expect(await rejectionOf(sim.run(waiting))).toMatchObject({ code: 'ABORTED' });
    const late = client.ensureTopics(['late'], { deadline, signal: abort.signal });
    expect(await rejectionOf(sim.run(late))).toMatchObject({ code: 'ABORTED' });
  });
});

describe('starting again from the bootstrap servers', () => {
  it('happens when no known broker can be reached (KIP-899)', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    await using moved = await Simulation.start({ topics: { a: 1 }, brokers: [{ id: 7 }] });
    let isMoved = false;
    const transport = {
      open(...[address, events]: Parameters<typeof sim.cluster.transport.open>) {
        const front = isMoved ? 'broker-7' : 'broker-1';
        const host = address.host === 'front' ? front : address.host;
        const { transport: there } = host === 'broker-7' ? moved.cluster : sim.cluster;
        return there.open({ ...address, host }, events);
      },
    };
    const client = sim.client({ transport, bootstrapServers: 'front:9092' });
    await ensure(sim, client, 'a');
    expect([...client.metadata.brokers.keys()]).toEqual([1]);
    await sim.cluster.stop(1);
    isMoved = true;
    client.requestMetadataUpdate();
    await sim.until(() => client.metadata.brokers.has(7));
    expect(sim.eventsOf('rebootstrapped')).toHaveLength(1);
    expect(client.metadata.topics.get('a')!.partitions[0]!.leader).toBe(7);
  });

  it('happens when the cluster asks for it (KIP-1102)', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    sim.cluster.failNext('Metadata', 'REBOOTSTRAP_REQUIRED');
    client.requestMetadataUpdate();
    await sim.until(() => sim.eventsOf('rebootstrapped').length > 0);
    await sim.until(() => client.metadata.brokers.size > 0);
    expect(sim.eventsOf('rebootstrapped')[0]!.reason).toMatch(/asked for it/);
  });

  it('happens when no broker has told about the cluster for metadataRecoveryRebootstrapTriggerMs', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { a: 1 } });
    const client = sim.client({ metadataRecoveryRebootstrapTriggerMs: 10_000 });
    await ensure(sim, client, 'a');
    sim.cluster.intercept('Metadata', () => ({ brokers: [], topics: [], errorCode: 7 }));
    const start = sim.clock.monotonic();
    client.requestMetadataUpdate();
    await sim.until(() => sim.eventsOf('rebootstrapped').length > 0);
    expect(sim.clock.monotonic() - start).toBeGreaterThanOrEqual(10_000);
    expect(sim.clock.monotonic() - start).toBeLessThan(13_000);
  });

  it('does not happen while a broker is connected: what is on its way to it would be lost', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const refusing = mistreat(sim, 'broker-1', 'refuse');
    let isRefused = false;
    const transport = {
      open: (...asked: Parameters<typeof refusing.open>) =>
        (isRefused ? refusing : sim.cluster.transport).open(...asked),
    };
    const client = sim.client({ transport });
    await ensure(sim, client, 'a');
    const produce = client.channel(1, 'produce');
    await sim.run(produce.ready());
    isRefused = true;
    client.requestMetadataUpdate();
    await sim.advance(MINUTE);
    expect(sim.eventsOf('rebootstrapped')).toEqual([]);
    expect(produce.isReady).toBe(true);
    await sim.cluster.stop(1);
    await sim.until(() => sim.eventsOf('rebootstrapped').length > 0);
  });

  it('does not happen with metadataRecoveryStrategy none where the cluster asks for it', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ metadataRecoveryStrategy: 'none' });
    await ensure(sim, client, 'a');
    sim.cluster.failNext('Metadata', 'REBOOTSTRAP_REQUIRED', 100);
    const refreshed = client.refresh({ deadline: sim.clock.monotonic() + MINUTE });
    expect(await rejectionOf(sim.run(refreshed))).toMatchObject({ code: 'REBOOTSTRAP_REQUIRED' });
    await sim.advance(MINUTE);
    expect(sim.eventsOf('rebootstrapped')).toEqual([]);
    expect([...client.metadata.brokers.keys()]).toEqual([1]);
  });

  it('does not happen with metadataRecoveryStrategy none', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ metadataRecoveryStrategy: 'none' });
    await ensure(sim, client, 'a');
    await sim.cluster.stop(1);
    client.requestMetadataUpdate();
    await sim.advance(10 * MINUTE);
    expect(sim.eventsOf('rebootstrapped')).toEqual([]);
    expect([...client.metadata.brokers.keys()]).toEqual([1]);
  });
});

describe('connections', () => {
  it('are one for each broker and purpose, shared by all who ask', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const channels = (['produce', 'fetch', 'coordinator', 'control'] as const).map((purpose) =>
      client.channel(1, purpose),
    );
    await sim.run(Promise.all(channels.flatMap((channel) => [channel.ready(), channel.ready()])));
    expect(connections(sim)).toBe(4);
    expect(client.channel(1, 'produce')).toBe(channels[0]);
  });

  it('keep one kind of request from waiting behind another', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    sim.cluster.delay('ListOffsets', 20_000);
    const fetches = client.channel(1, 'fetch');
    const control = client.channel(1, 'control');
    await sim.run(Promise.all([fetches.ready(), control.ready()]));
    const slow = fetches.send('ListOffsets', 5, { replicaId: -1, topics: [] });
    await sim.run(control.send('Metadata', 12, { topics: [] }));
    expect(fetches.inFlight).toBe(1);
    await sim.run(slow);
  });

  it('are closed when nobody used them for connectionsMaxIdleMs, and opened again when needed', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ connectionsMaxIdleMs: MINUTE, metadataMaxAgeMs: 10 * MINUTE });
    await ensure(sim, client, 'a');
    const channel = client.channel(1, 'produce');
    await sim.run(channel.ready());
    await sim.advance(59_000);
    expect(channel.isReady).toBe(true);
    await sim.advance(2000);
    expect(channel.isReady).toBe(false);
    expect(sim.eventsOf('disconnected').at(-1)).toMatchObject({ reason: 'nobody used it' });
    const start = sim.clock.monotonic();
    await sim.run(channel.ready());
    expect(sim.clock.monotonic()).toBe(start);
  });

  it('are not closed for being idle while an answer is awaited', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ connectionsMaxIdleMs: 1000, requestTimeoutMs: MINUTE });
    await ensure(sim, client, 'a');
    const channel = client.channel(1, 'fetch');
    await sim.run(channel.ready());
    sim.cluster.delay('ListOffsets', 30_000);
    const answer = channel.send('ListOffsets', 5, { replicaId: -1, topics: [] });
    expect(await sim.run(answer)).toMatchObject({ topics: [] });
  });

  it('are tried again after a growing wait with jitter, which a success ends', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    await sim.cluster.stop(2);
    const channel = client.channel(2, 'fetch');
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      const start = sim.clock.monotonic();
      await rejectionOf(sim.run(channel.ready()));
      waits.push(sim.clock.monotonic() - start);
    }
    const plain = [0, 50, 100, 200, 400, 800, 1000, 1000, 1000];
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(plain[i]! * 0.8);
      expect(wait).toBeLessThanOrEqual(plain[i]! * 1.2);
    }
    expect(new Set(waits.slice(-3)).size).toBe(3);
    await sim.cluster.start(2);
    await sim.run(channel.ready());
    const start = sim.clock.monotonic();
    await sim.cluster.stop(2);
    await sim.calm();
    await rejectionOf(sim.run(channel.ready()));
    expect(sim.clock.monotonic() - start).toBeLessThanOrEqual(60);
  });

  it('report each attempt that failed', async () => {
    await using sim = await Simulation.start();
    const client = sim.client({ bootstrapServers: 'nobody:9092' });
    await rejectionOf(sim.run(client.request('any', 'ListGroups', {}, { timeoutMs: 1000 })));
    expect(sim.eventsOf('connect-failed')[0]).toEqual({
      type: 'connect-failed',
      broker: 'nobody:9092',
      purpose: 'control',
      attempt: 1,
      reason: expect.stringMatching(/ECONNREFUSED/) as unknown,
    });
  });

  it('are given up on after a setup timeout that grows', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { a: 1 } });
    const transport = mistreat(sim, 'broker-2', 'swallow');
    const client = sim.client({ transport, bootstrapServers: 'broker-1:9092' });
    await ensure(sim, client, 'a');
    const channel = client.channel(2, 'fetch');
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const start = sim.clock.monotonic();
      await rejectionOf(sim.run(channel.ready()));
      waits.push(sim.clock.monotonic() - start);
    }
    const plain = [10_000, 20_000, 30_000, 30_000];
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(plain[i]! * 0.8);
      expect(wait).toBeLessThanOrEqual(plain[i]! * 1.2 + 300);
    }
  });

  it('to a broker that got another address are given up', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const channel = client.channel(2, 'fetch');
    await sim.run(channel.ready());
    sim.cluster.intercept('Metadata', () => ({
      brokers: [
        { nodeId: 1, ...sim.cluster.addressOf(1) },
        { nodeId: 2, host: 'elsewhere', port: 9092 },
      ],
      controllerId: 1,
      topics: [],
    }));
    await sim.run(client.refresh({ deadline: sim.clock.monotonic() + MINUTE }));
    expect(await rejectionOf(channel.ready())).toMatchObject({ isRetriable: true });
    expect(client.channel(2, 'fetch')).not.toBe(channel);
  });

  it('that were asked for while nobody knew the broker are kept once it is found', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    sim.cluster.failNext('Metadata', 'REBOOTSTRAP_REQUIRED');
    client.requestMetadataUpdate();
    await sim.until(() => client.metadata.brokers.size === 0);
    const channel = client.channel(1, 'produce');
    expect(await rejectionOf(channel.ready())).toMatchObject({ isRetriable: true });
    await sim.until(() => client.metadata.brokers.size > 0);
    await sim.run(channel.ready());
    expect(client.channel(1, 'produce')).toBe(channel);
  });

  it('of a consumer that has closed are opened by nobody any more', async () => {
    await using sim = await Simulation.start();
    const consumer = sim.client().forConsumer();
    sim.cluster.delay('FindCoordinator', 1000);
    const asked = rejectionOf(consumer.request({ group: 'g' }, 'ListGroups', {}));
    await sim.until(() => requests(sim, 'FindCoordinator') > 0);
    await consumer.close();
    expect(await asked).toMatchObject({ code: 'CLIENT_CLOSED' });
    await sim.advance(5000);
    expect(sim.eventsOf('connected').map(({ purpose }) => purpose)).not.toContain('coordinator');
    const late = rejectionOf(consumer.channel(1, 'fetch').ready());
    expect(await late).toMatchObject({ code: 'CLIENT_CLOSED' });
  });
});

describe('throttling', () => {
  it('may outlive the connection, which is open again afterwards', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client({ connectionsMaxIdleMs: 1000 });
    await ensure(sim, client, 'a');
    const channel = client.channel(1, 'fetch');
    await sim.run(channel.ready());
    sim.cluster.throttle('ListOffsets', 5000);
    await sim.run(channel.send('ListOffsets', 5, { replicaId: -1, topics: [] }));
    await sim.run(channel.ready());
    expect(sim.eventsOf('disconnected').at(-1)).toMatchObject({ purpose: 'fetch' });
    expect(channel.isReady).toBe(true);
  });

  it('keeps the client from using that connection, and no other, for as long as it is told', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const channel = client.channel(1, 'fetch');
    await sim.run(channel.ready());
    sim.cluster.throttle('ListOffsets', 5000);
    await sim.run(channel.send('ListOffsets', 5, { replicaId: -1, topics: [] }));
    expect(channel.isReady).toBe(false);
    expect(sim.eventsOf('throttled')).toEqual([
      { type: 'throttled', broker: '1 at broker-1:9092', api: 'ListOffsets', throttleTimeMs: 5000 },
    ]);
    await sim.run(client.channel(1, 'control').ready());
    const start = sim.clock.monotonic();
    await sim.run(channel.ready());
    expect(sim.clock.monotonic() - start).toBe(5000);
    expect(channel.isReady).toBe(true);
  });

  it('by a broker before 2.0, which waits itself, is not waited for twice', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 }, version: '1.1' });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const channel = client.channel(1, 'fetch');
    await sim.run(channel.ready());
    sim.cluster.throttle('ListOffsets', 5000);
    await sim.run(channel.send('ListOffsets', 2, { replicaId: -1, topics: [] }));
    expect(channel.isReady).toBe(true);
    expect(sim.eventsOf('throttled')).toHaveLength(1);
  });

  it('ends with the client', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const channel = client.channel(1, 'fetch');
    await sim.run(channel.ready());
    sim.cluster.throttle('ListOffsets', 50_000);
    await sim.run(channel.send('ListOffsets', 5, { replicaId: -1, topics: [] }));
    const waiting = rejectionOf(channel.ready());
    await client.close();
    expect(await waiting).toMatchObject({ code: 'CLIENT_CLOSED' });
  });
});

describe('a request', () => {
  it('is repeated over connections that break', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    sim.cluster.drop('DescribeCluster', 3);
    const answer = await sim.run(client.request('any', 'DescribeCluster', DESCRIBE));
    expect(answer.brokers).toHaveLength(1);
    expect(requests(sim, 'DescribeCluster')).toBe(4);
  });

  it('is repeated while the answer is a retriable error', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    sim.cluster.failNext('DescribeCluster', 'REQUEST_TIMED_OUT', 2);
    const answer = await sim.run(client.request('any', 'DescribeCluster', DESCRIBE));
    expect(answer.errorCode).toBe(0);
  });

  it('hands an error over that repeating does not cure', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    sim.cluster.failNext('DescribeCluster', 'CLUSTER_AUTHORIZATION_FAILED');
    const answer = await sim.run(client.request('any', 'DescribeCluster', DESCRIBE));
    expect(answer.errorCode).toBe(31);
  });

  it('fails when its time is up, naming what kept it', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    sim.cluster.failNext('DescribeCluster', 'REQUEST_TIMED_OUT', 1000);
    const error = await rejectionOf(
      sim.run(client.request('any', 'DescribeCluster', DESCRIBE, { timeoutMs: 3000 })),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).message).toMatch(/DescribeCluster.*3000 ms.*REQUEST_TIMED_OUT/);
    expect(sim.clock.monotonic()).toBeLessThanOrEqual(3000);
  });

  it('fails in time also where connecting takes longer, and leaves the connection to others', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const transport = mistreat(sim, 'broker-1', 'swallow');
    const client = sim.client({ transport });
    const error = await rejectionOf(
      sim.run(client.request('any', 'DescribeCluster', DESCRIBE, { timeoutMs: 500 })),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect(sim.clock.monotonic()).toBe(500);
  });

  it('that is in a hurry does not take the connection from others when it gives up', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    await sim.run(client.request({ node: 1 }, 'DescribeCluster', DESCRIBE));
    sim.cluster.delay('DescribeCluster', 2000);
    const patient = client.request({ node: 1 }, 'DescribeCluster', DESCRIBE);
    const hasty = client.request({ node: 1 }, 'DescribeCluster', DESCRIBE, { timeoutMs: 100 });
    expect(await rejectionOf(sim.run(hasty))).toBeInstanceOf(TimeoutError);
    expect((await sim.run(patient)).brokers).toHaveLength(1);
    expect(requests(sim, 'DescribeCluster')).toBe(3);
  });

  it('stops when its signal is aborted', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    const abort = new AbortController();
    sim.cluster.delay('DescribeCluster', 20_000);
    sim.clock.schedule(700, () => abort.abort(new Error('enough')));
    const pending = client.request('any', 'DescribeCluster', DESCRIBE, { signal: abort.signal });
    const error = (await rejectionOf(sim.run(pending))) as KafkaError;
    expect(error).toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    expect(sim.clock.monotonic()).toBe(700);
  });

  it.each<[string, (client: Cluster, sim: Simulation) => Promise<unknown>]>([
    [
      'was called off before',
      (client) =>
        client.request('any', 'DescribeCluster', DESCRIBE, { signal: AbortSignal.abort() }),
    ],
    [
      'is called off while it waits for the connection',
      (client, sim) => {
        const abort = new AbortController();
        sim.clock.schedule(500, () => abort.abort());
        return client.request('any', 'DescribeCluster', DESCRIBE, { signal: abort.signal });
      },
    ],
    [
      'has no time left when the connection is there',
      (client) => client.request('any', 'DescribeCluster', DESCRIBE, { timeoutMs: 500 }),
    ],
    [
      'is of a consumer that has closed meanwhile',
      (client, sim) => {
        const consumer = client.forConsumer();
        sim.clock.schedule(500, () => void consumer.close());
        return consumer.request('any', 'DescribeCluster', DESCRIBE);
      },
    ],
  ])('is not sent any more where it %s', async (_, ask) => {
    await using sim = await Simulation.start();
    const client = sim.client();
    sim.cluster.delay('ApiVersions', 2000);
    await rejectionOf(sim.run(ask(client, sim)));
    await sim.run(client.request('any', 'ListGroups', {}));
    expect(requests(sim, 'DescribeCluster')).toBe(0);
  });

  it('is refused without a try where the broker lacks the API', async () => {
    await using sim = await Simulation.start({ version: '0.10.2' });
    const client = sim.client();
    const error = await rejectionOf(sim.run(client.request('any', 'DescribeCluster', DESCRIBE)));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
  });

  it('reaches the node that it names, also as the very first', async () => {
    await using sim = await Simulation.start({ brokers: 3 });
    const client = sim.client();
    await sim.run(client.request({ node: 3 }, 'DescribeCluster', DESCRIBE));
    expect(sim.cluster.inspect().brokers[2]!.requests['DescribeCluster']).toBe(1);
  });

  it('reaches the controller, also as the very first', async () => {
    await using sim = await Simulation.start({ brokers: 3 });
    const client = sim.client();
    await sim.run(client.request('controller', 'DescribeCluster', DESCRIBE));
    const { brokers, controllerId } = sim.cluster.inspect();
    expect(brokers[controllerId - 1]!.requests['DescribeCluster']).toBe(1);
  });

  it('reaches the leader of a partition', async () => {
    await using sim = await Simulation.start({ brokers: 3, topics: { a: 1 } });
    const client = sim.client();
    sim.cluster.moveLeader('a', 0, 2);
    await sim.run(
      client.request({ leader: { topic: 'a', partition: 0 } }, 'DescribeCluster', DESCRIBE),
    );
    expect(sim.cluster.inspect().brokers[1]!.requests['DescribeCluster']).toBe(1);
  });

  it('is over when the client is closed, as is every later one', async () => {
    await using sim = await Simulation.start();
    const client = sim.client();
    sim.cluster.delay('DescribeCluster', 20_000);
    const pending = rejectionOf(client.request('any', 'DescribeCluster', DESCRIBE));
    await sim.advance(100);
    await client.close();
    expect(await pending).toMatchObject({ code: 'CLIENT_CLOSED' });
    const later = rejectionOf(client.request('any', 'DescribeCluster', DESCRIBE));
    expect(await later).toMatchObject({ code: 'CLIENT_CLOSED' });
    const topics = rejectionOf(client.ensureTopics(['a'], { deadline: Infinity }));
    expect(await topics).toMatchObject({ code: 'CLIENT_CLOSED' });
    await sim.calm();
    expect(sim.clock.pending).toBe(0);
  });

  it('is not called off because its bootstrap connection was given back meanwhile', async () => {
    await using sim = await Simulation.start({ topics: { a: 1 } });
    const client = sim.client();
    sim.cluster.drop('ApiVersions', 2);
    const asked = client.request('any', 'DescribeCluster', DESCRIBE);
    const known = client.ensureTopics(['a'], { deadline: sim.clock.monotonic() + MINUTE });
    await sim.run(Promise.all([asked, known]));
    expect((await asked).brokers).toHaveLength(1);
  });
});

describe('a coordinator', () => {
  it.each(['capabilities', 'request'] as const)(
    'that has gone is looked up anew when its %s are asked for',
    async (how) => {
      await using sim = await Simulation.start({ brokers: 3 });
      const client = sim.client();
      const route = { transactionalId: 'id' };
      const ask = (): Promise<unknown> =>
        how === 'capabilities'
          ? client.capabilities(route)
          : client.request(route, 'InitProducerId', {
              transactionalId: 'id',
              transactionTimeoutMs: 1000,
            });
      sim.cluster.moveCoordinator('id', 2);
      await sim.run(ask());
      sim.cluster.moveCoordinator('id', 3);
      await sim.cluster.stop(2);
      const startedAt = sim.clock.monotonic();
      await sim.run(ask());
      expect(sim.clock.monotonic() - startedAt).toBeLessThan(5000);
    },
  );

  it('is looked up once for all who ask', async () => {
    await using sim = await Simulation.start({ brokers: 3 });
    const client = sim.client();
    const ask = () => client.request({ group: 'g' }, 'DescribeCluster', DESCRIBE);
    await sim.run(Promise.all([ask(), ask()]));
    await sim.run(ask());
    expect(requests(sim, 'FindCoordinator')).toBe(1);
  });

  it('is looked up again when it turns out to be wrong', async () => {
    await using sim = await Simulation.start({ brokers: 3 });
    const client = sim.client();
    const ask = () => client.request({ group: 'g' }, 'DescribeCluster', DESCRIBE);
    await sim.run(ask());
    let refusals = 0;
    sim.cluster.intercept('DescribeCluster', () =>
      refusals++ < 1 ? { errorCode: 16, clusterId: 'c', brokers: [] } : undefined,
    );
    await sim.run(ask());
    expect(requests(sim, 'FindCoordinator')).toBe(2);
  });

  it('that can not be had for lack of permission is a typed error', async () => {
    await using sim = await Simulation.start();
    const client = sim.client();
    sim.cluster.failNext('FindCoordinator', 'GROUP_AUTHORIZATION_FAILED');
    const error = await rejectionOf(sim.run(client.capabilities({ group: 'g' })));
    expect(error).toMatchObject({ name: 'AuthorizationError', code: 'GROUP_AUTHORIZATION_FAILED' });
  });
});

describe('an old broker', () => {
  it.each(['0.8.2', '0.9'] as const)('is probed once and then known (%s)', async (version) => {
    await using sim = await Simulation.start({ version, topics: { a: 1 } });
    const client = sim.client();
    await ensure(sim, client, 'a');
    const start = sim.clock.monotonic();
    const channel = client.channel(1, 'produce');
    await sim.run(channel.ready());
    expect(sim.clock.monotonic()).toBe(start);
    expect(channel.version('Produce')).toBe(version === '0.9' ? 1 : 0);
  });

  it('lets go of everything when the client is closed while it is probed', async () => {
    await using sim = await Simulation.start({ version: '0.9', topics: { a: 1 } });
    const client = sim.client();
    const waiting = rejectionOf(client.ensureTopics(['a'], { deadline: Infinity }));
    await sim.advance(5500);
    await client.close();
    expect(await waiting).toMatchObject({ code: 'CLIENT_CLOSED' });
    await sim.calm();
    expect(connections(sim)).toBe(0);
    expect(sim.clock.pending).toBe(0);
  });
});
