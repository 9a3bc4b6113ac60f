import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Producer, ProducerOptions } from '../../../src/core/producer/index.js';
import { KafkaError } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const PARTITIONS = 3;
/** More with RX_KAFKA_RUNS, to search for long. */
const RUNS = Number(process.env['RX_KAFKA_RUNS'] ?? 30);

type Step =
  | { readonly what: 'send'; readonly partition: number; readonly size: number }
  | { readonly what: 'wait'; readonly ms: number }
  | { readonly what: 'drop'; readonly when: 'before' | 'after'; readonly times: number }
  | { readonly what: 'fail'; readonly error: string; readonly times: number }
  | { readonly what: 'move'; readonly partition: number; readonly broker: number }
  | { readonly what: 'delay'; readonly ms: number }
  | { readonly what: 'restart'; readonly broker: number };

const errors = [
  'NOT_LEADER_OR_FOLLOWER',
  'NOT_ENOUGH_REPLICAS',
  'REQUEST_TIMED_OUT',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'CORRUPT_MESSAGE',
  'MESSAGE_TOO_LARGE',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'INVALID_RECORD',
];

const send = fc.record({
  what: fc.constant('send' as const),
  partition: fc.nat(PARTITIONS - 1),
  size: fc.nat(400),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: send },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.nat(300) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('drop' as const),
      when: fc.constantFrom('before' as const, 'after' as const),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('fail' as const),
      error: fc.constantFrom(...errors),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('move' as const),
      partition: fc.nat(PARTITIONS - 1),
      broker: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('delay' as const), ms: fc.nat(2000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('restart' as const),
      broker: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

interface Sent {
  readonly partition: number;
  readonly value: string;
  outcome: 'acknowledged' | KafkaError | undefined;
}

/** Sends and disturbs, until everything is settled. */
async function live(sim: Simulation, producer: Producer, steps: readonly Step[]): Promise<Sent[]> {
  const sent: Sent[] = [];
  let undoDelay: () => void = () => undefined;
  for (const each of steps) {
    switch (each.what) {
      case 'send': {
        const value = `${sent.length} ${'x'.repeat(each.size)}`;
        const record: Sent = { partition: each.partition, value, outcome: undefined };
        sent.push(record);
        producer.send({ topic: TOPIC, partition: each.partition, value }).then(
          () => (record.outcome = 'acknowledged'),
          (error: unknown) => (record.outcome = error as KafkaError),
        );
        break;
      }
      case 'wait':
        await sim.advance(each.ms);
        break;
      case 'drop':
        sim.cluster.drop('Produce', each.times, { when: each.when });
        break;
      case 'fail':
        sim.cluster.failNext('Produce', each.error, each.times);
        break;
      case 'move':
        if (sim.cluster.inspect().brokers[each.broker - 1]!.isRunning) {
          sim.cluster.moveLeader(TOPIC, each.partition, each.broker);
        }
        break;
      case 'delay':
        undoDelay();
        undoDelay = sim.cluster.delay('Produce', each.ms);
        break;
      case 'restart':
        await sim.cluster.stop(each.broker);
        await sim.advance(50);
        await sim.cluster.start(each.broker);
        for (let p = 0; p < PARTITIONS; p++) {
          if (sim.cluster.inspect().topics[TOPIC]!.partitions[p]!.leader < 0) {
            sim.cluster.moveLeader(TOPIC, p, each.broker);
          }
        }
    }
  }
  sim.cluster.clearFaults();
  await sim.run(producer.flush());
  await sim.calm();
  return sent;
}

function codeOf(outcome: Sent['outcome']): string | undefined {
  return outcome instanceof KafkaError ? outcome.code : outcome;
}

function isInDoubt({ message }: KafkaError): boolean {
  return message.includes('may have been written');
}

function stored(sim: Simulation, partition: number): string[] {
  return sim.cluster.records(TOPIC, partition).map(({ value }) => String(value));
}

const profiles = ['4.3', '3.9', '2.8', '1.1', '1.0', '0.11'] as const;

async function checkExactlyOnce(
  steps: readonly Step[],
  seed: number,
  version: (typeof profiles)[number],
  options: ProducerOptions,
): Promise<void> {
  await using sim = await Simulation.start(
    { brokers: 3, topics: { [TOPIC]: PARTITIONS }, version },
    seed,
  );
  const producer = sim.kafka({ requestTimeoutMs: 5000 }).producer({
    batchSize: 200,
    lingerMs: 2,
    requestTimeoutMs: 1000,
    ...options,
  });
  const sent = await live(sim, producer, steps);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const ours = sent.filter((record) => record.partition === partition);
    const log = stored(sim, partition);
    // Nothing is unaccounted for.
    expect(ours.filter(({ outcome }) => outcome === undefined)).toEqual([]);
    // What retrying cures is cured in time.
    if (options.deliveryTimeoutMs === undefined) {
      expect(ours.filter(({ outcome }) => codeOf(outcome) === 'DELIVERY_TIMED_OUT')).toEqual([]);
    }
    // No record is there twice, and what is there is in the order of the calls.
    expect(new Set(log).size).toBe(log.length);
    expect(log).toEqual(ours.map(({ value }) => value).filter((value) => log.includes(value)));
    // What was acknowledged is there.
    const acknowledged = ours.filter(({ outcome }) => outcome === 'acknowledged');
    expect(acknowledged.filter(({ value }) => !log.includes(value))).toEqual([]);
    // What was refused is not, unless the error says that this isn't known.
    const refused = ours.filter(
      ({ outcome }) => codeOf(outcome) === 'INVALID_RECORD' && !isInDoubt(outcome as KafkaError),
    );
    expect(refused.filter(({ value }) => log.includes(value))).toEqual([]);
  }
}

describe('an idempotent producer over an unreliable cluster', () => {
  it.each(profiles)(
    'writes every acknowledged record once and in order (Kafka %s)',
    async (version) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 5, maxLength: 60 }),
          fc.nat(1000),
          (steps, seed) => checkExactlyOnce(steps, seed, version, {}),
        ),
        { numRuns: RUNS },
      );
    },
  );

  it('does so when records also time out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.nat(1000),
        (steps, seed) => checkExactlyOnce(steps, seed, '4.3', { deliveryTimeoutMs: 1500 }),
      ),
      { numRuns: RUNS },
    );
  });
});
