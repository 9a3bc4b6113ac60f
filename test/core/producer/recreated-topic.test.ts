import { describe, expect, it } from 'vitest';
import { KafkaError } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const RECORDS = 40;

interface Outcome {
  readonly value: number;
  times: number;
  is: 'open' | 'acknowledged' | KafkaError;
}

/** Sends a batch each millisecond, into answers that take 20, while the topic goes and comes again. */
async function recreateAmidst(sim: Simulation, deleteAt: number, absentMs: number) {
  const producer = sim.kafka().producer({ lingerMs: 0, deliveryTimeoutMs: 60_000 });
  await sim.run(producer.send({ topic: TOPIC, value: '-1' }));
  sim.cluster.delay('Produce', 20);
  const numbers = () => sim.cluster.records(TOPIC).map(({ value }) => Number(String(value)));
  let old: number[] = [];
  const outcomes: Outcome[] = [];
  for (let at = 0; at < RECORDS + absentMs + 1; at++) {
    if (at === deleteAt) {
      old = numbers();
      sim.cluster.deleteTopic(TOPIC);
    }
    if (at === deleteAt + absentMs) sim.cluster.createTopic(TOPIC, { partitions: 1 });
    if (at < RECORDS) {
      const outcome: Outcome = { value: at, times: 0, is: 'open' };
      outcomes.push(outcome);
      producer.send({ topic: TOPIC, value: `${at}` }).then(
        () => {
          outcome.times++;
          outcome.is = 'acknowledged';
        },
        (error: unknown) => {
          outcome.times++;
          outcome.is = error as KafkaError;
        },
      );
    }
    await sim.advance(1);
  }
  await sim.run(producer.flush());
  await sim.calm();
  return { old, fresh: numbers(), outcomes };
}

describe('a topic that is deleted and made anew while batches of it are on the way', () => {
  // With topic ids, by name, and where a broker knows at once that it does not know the producer.
  const versions = ['4.3', '3.9', '1.1'] as const;
  const moments = [1, 5, 10, 25, 33];

  it.each(versions.flatMap((version) => moments.map((moment) => [version, moment] as const)))(
    'has what was acknowledged, in order, and each record is settled once (%s, after %i ms)',
    async (version, deleteAt) => {
      // Batches are 20 ms apart at the broker: the first ones find no topic, or none do, or all.
      for (const absentMs of [0, 1, 10, 20, 30, 50, 70, 200]) {
        await using sim = await Simulation.start({
          topics: { [TOPIC]: 1 },
          autoCreateTopicsEnable: false,
          version,
        });
        const { old, fresh, outcomes } = await recreateAmidst(sim, deleteAt, absentMs);
        expect(outcomes.every(({ times }) => times === 1)).toBe(true);
        expect(fresh).toEqual([...new Set(fresh)].sort((a, b) => a - b));
        const failed = outcomes.filter(({ is }) => is instanceof KafkaError);
        const kept = new Set([...old, ...fresh, ...failed.map(({ value }) => value)]);
        expect(outcomes.filter(({ value }) => !kept.has(value))).toEqual([]);
        // Only what others have overtaken, which were on the way with it: topic ids prevent that.
        for (const { is, value } of failed) {
          expect(is).toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', mayBeWritten: false });
          expect(value).toBeLessThan(fresh[0]!);
        }
        expect(sim.clock.monotonic()).toBeLessThan(5000);
        if (version === '4.3') expect(failed).toEqual([]);
      }
    },
  );
});
