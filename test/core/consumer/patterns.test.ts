import { describe, expect, it } from 'vitest';
import { fromTopics, type ConsumerOptions, type ConsumerRecord } from '../../../src/index.js';
import { Seen, write } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';

const base = { autoOffsetReset: 'earliest', ack: 'auto' } as const;
/** Brokers don't understand what looks ahead, so that the client matches by the consumer protocol, too. */
const PATTERN = /(?!re)sales-\d/;
/** What a rebalance may take once a topic was found. */
const REBALANCE_MS = 10_000;

const start = () => Simulation.start({ topics: { 'sales-1': 1 } });

/** Consumes by pattern; then topics are made, one of which matches. Tells what was consumed. */
async function followPattern(sim: Simulation, clientMaxAgeMs: number, options: ConsumerOptions) {
  write(sim.cluster, 'sales-1', 0, 'early');
  const kafka = sim.kafka({ metadataMaxAgeMs: clientMaxAgeMs });
  const seen = new Seen<ConsumerRecord>(fromTopics(kafka, PATTERN, { ...base, ...options }));
  await sim.until(() => seen.values.length === 1);
  for (const topic of ['sales-2', 'resales-2']) {
    sim.cluster.createTopic(topic, { partitions: 1 });
    write(sim.cluster, topic, 0, topic);
  }
  return () => seen.values.map(({ topic }) => topic);
}

describe.each<[string, ConsumerOptions]>([
  ['without a group', {}],
  ['classic', { groupId: 'g', groupProtocol: 'classic' }],
  ['consumer', { groupId: 'g', groupProtocol: 'consumer' }],
])('topics that come to match a pattern (%s)', (_, options) => {
  it('are looked for as often as the client asks for metadata', async () => {
    await using sim = await start();
    const consumed = await followPattern(sim, 60_000, options);
    await sim.advance(40_000);
    expect(consumed()).toEqual(['sales-1']);
    await sim.advance(20_000 + REBALANCE_MS);
    expect(consumed()).toEqual(['sales-1', 'sales-2']);
  });

  it('are looked for as often as the consumer is told, whatever the client does', async () => {
    await using sim = await start();
    const consumed = await followPattern(sim, 5000, { ...options, metadataMaxAgeMs: 120_000 });
    await sim.advance(100_000);
    expect(consumed()).toEqual(['sales-1']);
    await sim.advance(20_000 + REBALANCE_MS);
    expect(consumed()).toEqual(['sales-1', 'sales-2']);
  });
});
