import { describe, expect, it } from 'vitest';
import { ackEach, fromTopics, type ConsumerRecord } from '../../../../src/index.js';
import { membersOf, Seen } from '../../../support/consuming.js';
import { Simulation } from '../../../support/simulation.js';
import { fill } from '../../../support/watching.js';

const TOPIC = 'orders';

type Kind = 'no group' | 'classic' | 'consumer';
const kinds: readonly Kind[] = ['no group', 'classic', 'consumer'];

/** A subscription that skips what is there. */
function latest(sim: Simulation, kind: Kind, topics: string | RegExp = TOPIC) {
  const options = {
    autoOffsetReset: 'latest' as const,
    metadataMaxAgeMs: 5000,
    ...(kind !== 'no group' && { groupId: 'billing', groupProtocol: kind }),
  };
  const kafka = sim.kafka({ metadataMaxAgeMs: 5000 });
  return new Seen(fromTopics(kafka, topics, options).pipe(ackEach<ConsumerRecord>()));
}

const positions = (sim: Simulation) => sim.eventsOf('position-reset').length;

async function grow(sim: Simulation, count: number): Promise<void> {
  const client = sim.client();
  await sim.run(
    client.request('controller', 'CreatePartitions', {
      topics: [{ name: TOPIC, count, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    }),
  );
}

describe.each(kinds)('latest (%s)', (kind) => {
  it('skips what was there before, and nothing else', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 3);
    const seen = latest(sim, kind);
    await sim.until(() => positions(sim) === 2);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 1);
    await sim.until(() => seen.values.length === 2);
    expect(seen.values.map(({ offset }) => offset)).toEqual([3, 3]);
    seen.subscription.unsubscribe();
  });

  it('skips nothing of partitions that are added', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    fill(sim, TOPIC, 0, 3);
    const seen = latest(sim, kind);
    await sim.until(() => positions(sim) === 1);
    await grow(sim, 2);
    fill(sim, TOPIC, 1, 5);
    await sim.until(() => seen.values.length === 5);
    expect(seen.values.map(({ partition }) => partition)).toEqual([1, 1, 1, 1, 1]);
    seen.subscription.unsubscribe();
  });

  it('skips nothing of a topic that comes to be', async () => {
    await using sim = await Simulation.start({ autoCreateTopicsEnable: false });
    const seen = latest(sim, kind);
    await sim.advance(3000);
    sim.cluster.createTopic(TOPIC, { partitions: 1 });
    fill(sim, TOPIC, 0, 4);
    await sim.until(() => seen.values.length === 4);
    seen.subscription.unsubscribe();
  });

  it('skips nothing of a topic that comes to match a pattern', async () => {
    await using sim = await Simulation.start({ topics: { 'old-1': 1 } });
    fill(sim, 'old-1', 0, 3);
    const seen = latest(sim, kind, /(old|new)-\d/);
    await sim.until(() => positions(sim) === 1);
    sim.cluster.createTopic('new-1', { partitions: 1 });
    fill(sim, 'new-1', 0, 4);
    await sim.until(() => seen.values.length === 4);
    expect(seen.values.map(({ topic }) => topic)).toEqual(Array(4).fill('new-1'));
    seen.subscription.unsubscribe();
  });
});

it.each(['classic', 'consumer'] as const)(
  'latest skips what was there also for a member that does not lead (%s)',
  async (kind) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
    const first = latest(sim, kind);
    const second = latest(sim, kind);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 3);
    await sim.until(() => membersOf(sim.cluster, 'billing') === 2);
    await sim.until(() => sim.eventsOf('assigned').length >= 2 && positions(sim) >= 2);
    await sim.advance(2000);
    expect([first, second].flatMap(({ values }) => values)).toEqual([]);
    for (const each of [first, second]) each.subscription.unsubscribe();
  },
);
