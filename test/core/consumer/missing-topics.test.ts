import { describe, expect, it } from 'vitest';
import {
  fromPartitions,
  fromTopics,
  type ConsumerRecord,
  type Kafka,
  type SourceOptions,
} from '../../../src/index.js';
import { Seen } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { fill } from '../../support/watching.js';
import type { Observable } from 'rxjs';

const TOPIC = 'orders';
const base = { autoOffsetReset: 'earliest', ack: 'auto', metadataMaxAgeMs: 5000 } as const;
const inGroup = { ...base, groupId: 'billing' } as const;

type Source = (kafka: Kafka) => Observable<ConsumerRecord>;
const topics =
  (options: SourceOptions<Buffer | null, Buffer | null>): Source =>
  (kafka) =>
    fromTopics(kafka, TOPIC, options);

const sources: readonly (readonly [string, Source])[] = [
  ['without a group', topics(base)],
  ['classic', topics({ ...inGroup, groupProtocol: 'classic' })],
  ['consumer', topics({ ...inGroup, groupProtocol: 'consumer' })],
  [
    'fixed partitions',
    (kafka) => fromPartitions(kafka, [{ topic: TOPIC, partition: 0, start: 'beginning' }], base),
  ],
];

describe('a topic that the cluster does not have', () => {
  it.each(sources)('is told of once, and consumed when it is there: %s', async (_, source) => {
    await using sim = await Simulation.start({ autoCreateTopicsEnable: false });
    const kafka = sim.kafka({ metadataMaxAgeMs: 5000 });
    const seen = new Seen(source(kafka));
    await sim.advance(60_000);
    expect(sim.eventsOf('warning')).toMatchObject([{ code: 'UNKNOWN_TOPIC' }]);
    expect(sim.eventsOf('warning')[0]!.message).toContain(TOPIC);
    expect(seen.isOver).toBe(false);
    sim.cluster.createTopic(TOPIC, { partitions: 1 });
    fill(sim, TOPIC, 0, 3);
    await sim.until(() => seen.values.length === 3);
    expect(sim.eventsOf('warning')).toHaveLength(1);
  });

  it('is told of again when it was there, and is gone', async () => {
    await using sim = await Simulation.start({
      autoCreateTopicsEnable: false,
      topics: { [TOPIC]: 1 },
    });
    new Seen(fromTopics(sim.kafka({ metadataMaxAgeMs: 5000 }), TOPIC, base));
    await sim.advance(10_000);
    expect(sim.eventsOf('warning')).toEqual([]);
    sim.cluster.deleteTopic(TOPIC);
    await sim.advance(20_000);
    expect(sim.eventsOf('warning')).toMatchObject([{ code: 'UNKNOWN_TOPIC' }]);
  });

  it('is not told of where asking for it has it created', async () => {
    await using sim = await Simulation.start();
    new Seen(fromTopics(sim.kafka(), TOPIC, base));
    await sim.advance(20_000);
    expect(sim.eventsOf('warning')).toEqual([]);
  });
});

it('a partition that a topic does not have is told of', async () => {
  await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
  const kafka = sim.kafka({ metadataMaxAgeMs: 5000 });
  new Seen(fromPartitions(kafka, [{ topic: TOPIC, partition: 7 }], base));
  await sim.advance(20_000);
  const [warning, ...more] = sim.eventsOf('warning');
  expect(warning!.message).toContain('orders-7');
  expect(more).toEqual([]);
});
