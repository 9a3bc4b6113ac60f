import { concat, map, Observable, type Subscription } from 'rxjs';
import { expect, test } from 'vitest';
import { encodeRecords } from '../../src/core/records/index.js';
import {
  FencedError,
  fromOffsetRange,
  fromTopics,
  transactional,
  type Kafka,
  type TransactionResult,
} from '../../src/index.js';
import type { KafkaRelease } from '../../src/testing/index.js';
import { committed } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';
import { Dice } from './dice.js';

const PARTITIONS = 4;
const BROKERS = 3;
const STEPS = 25;
const GROUP = 'copiers';
/** More with RX_KAFKA_RUNS, to search for long; RX_KAFKA_SEED repeats one. */
const RUNS = Number(process.env['RX_KAFKA_RUNS'] ?? 12);
const FIRST_SEED = Number(process.env['RX_KAFKA_SEED'] ?? 1);

/** How the brokers run transactions. */
const kinds: readonly { readonly version: KafkaRelease; readonly protocol: 1 | 2 }[] = [
  { version: '4.3', protocol: 2 },
  { version: '4.3', protocol: 1 },
  { version: '2.8', protocol: 1 },
];

/** One that copies under an id of its own, and begins again when its stream ends. */
class Copier {
  readonly results: TransactionResult[] = [];
  readonly errors: unknown[] = [];
  private kafka: Kafka | undefined;
  private subscription: Subscription | undefined;

  constructor(
    private readonly sim: Simulation,
    private readonly id: string,
    private readonly dice: Dice,
    private readonly groupProtocol: 'classic' | 'consumer',
  ) {}

  get isRunning(): boolean {
    return this.kafka !== undefined;
  }

  start(): void {
    const kafka = (this.kafka = this.sim.kafka({ requestTimeoutMs: 2000 }));
    const { dice, groupProtocol } = this;
    const own =
      groupProtocol === 'classic' ? { sessionTimeoutMs: 10_000, heartbeatIntervalMs: 1000 } : {};
    this.subscription = fromTopics(kafka, 'in', {
      groupId: GROUP,
      groupProtocol,
      isolationLevel: 'read_committed',
      autoOffsetReset: 'earliest',
      drainTimeoutMs: 3000,
      ...own,
    })
      .pipe(
        transactional(
          kafka,
          {
            ...dice.pick([
              { transactionalId: this.id },
              { transactionalIdPrefix: this.id },
              { transactionalIdPrefix: this.id, concurrency: 3 },
            ]),
            maxRecords: 1 + dice.below(20),
            maxWaitMs: dice.pick([0, 10, 200]),
            lingerMs: dice.pick([0, 5]),
            requestTimeoutMs: 2000,
          },
          (records) =>
            concat(
              records.pipe(
                map((record) => record.derive({ topic: 'out', partition: record.partition })),
              ),
              this.pause(dice.pick([0, 0, 300, 3000])),
            ),
        ),
      )
      .subscribe({
        next: (result) => this.results.push(result),
        error: (error: unknown) => {
          this.errors.push(error);
          this.crash();
        },
      });
  }

  /** Transactions take a while, so that things happen to them. */
  private pause(ms: number): Observable<never> {
    return new Observable((subscriber) => this.sim.clock.schedule(ms, () => subscriber.complete()));
  }

  /** Ends without a word, as far as a process of its own is needed for that. */
  crash(): void {
    this.subscription?.unsubscribe();
    void this.kafka?.close({ timeoutMs: 0 });
    this.kafka = undefined;
  }
}

const passing = {
  Produce: ['NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'REQUEST_TIMED_OUT'],
  InitProducerId: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS'],
  EndTxn: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'],
  TxnOffsetCommit: ['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'ILLEGAL_GENERATION'],
  AddPartitionsToTxn: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR', 'UNKNOWN_TOPIC_OR_PARTITION'],
  AddOffsetsToTxn: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR'],
} as const;
const disturbed = Object.keys(passing) as (keyof typeof passing)[];

async function disturb({ cluster }: Simulation, copiers: readonly Copier[], dice: Dice) {
  const broker = 1 + dice.below(BROKERS);
  const api = dice.pick(disturbed);
  switch (
    dice.pick([
      'fail',
      'fail',
      'lose',
      'cut',
      'move',
      'coordinator',
      'restart',
      'expire',
      'crash',
      'crash',
    ] as const)
  ) {
    case 'fail':
      cluster.failNext(api, dice.pick<string>(passing[api]), 1 + dice.below(3));
      break;
    case 'lose':
      cluster.drop(api, 1 + dice.below(2), { when: 'after' });
      break;
    case 'cut':
      cluster.drop(api, 1 + dice.below(2), { when: 'before', broker });
      break;
    case 'move': {
      const { isRunning } = cluster.inspect().brokers.find(({ id }) => id === broker)!;
      if (isRunning) cluster.moveLeader(dice.pick(['in', 'out']), dice.below(PARTITIONS), broker);
      break;
    }
    case 'coordinator': {
      const { isRunning } = cluster.inspect().brokers.find(({ id }) => id === broker)!;
      if (isRunning) cluster.moveCoordinator(dice.pick([GROUP, 'copier-0', 'copier-1']), broker);
      break;
    }
    case 'restart': {
      const down = cluster.inspect().brokers.filter(({ isRunning }) => !isRunning);
      if (down.length > 0) await cluster.start(dice.pick(down).id);
      else await cluster.stop(broker);
      break;
    }
    case 'expire': {
      const members = cluster.inspect().groups[GROUP]?.members ?? [];
      if (members.length > 0) cluster.expireMember(GROUP, dice.pick(members).memberId);
      break;
    }
    case 'crash': {
      const copier = dice.pick(copiers);
      if (copier.isRunning) copier.crash();
      else copier.start();
    }
  }
}

async function run(seed: number) {
  const dice = new Dice(seed);
  const { version, protocol } = kinds[seed % kinds.length]!;
  const features: Record<string, number> =
    version === '4.3' && protocol === 1 ? { 'transaction.version': 1 } : {};
  const topics = { in: PARTITIONS, out: PARTITIONS };
  await using sim = await Simulation.start({ brokers: BROKERS, topics, version, features }, seed);
  const groupProtocol = version === '4.3' && dice.next() < 0.5 ? 'consumer' : 'classic';
  const copiers = [0, 1].map((i) => new Copier(sim, `copier-${i}`, dice, groupProtocol));
  const written = Array.from({ length: PARTITIONS }, () => 0);
  for (const copier of copiers) copier.start();
  for (let step = 0; step < STEPS; step++) {
    const partition = dice.below(PARTITIONS);
    const values = Array.from({ length: 1 + dice.below(30) }, () => written[partition]!++);
    const contents = values.map((n) => ({
      value: `${partition}:${n}`,
      timestamp: sim.clock.now(),
    }));
    sim.cluster.append('in', partition, encodeRecords(contents));
    if (dice.next() < 0.5) await disturb(sim, copiers, dice);
    await sim.advance(dice.below(3000));
  }
  sim.cluster.clearFaults();
  for (const id of sim.cluster.brokerIds) await sim.cluster.start(id);
  const isDone = () =>
    written.every((count, i) => (committed(sim.cluster, GROUP, 'in', i) ?? 0) >= count);
  while (!isDone()) {
    for (const copier of copiers) if (!copier.isRunning) copier.start();
    await sim.advance(1000);
    if (sim.clock.monotonic() > 1_800_000) break;
  }
  // What one has left open that never came back holds readers up until the coordinator aborts it.
  await sim.advance(120_000);
  const range = written.map((_, partition) => ({ topic: 'out', partition }));
  const seen = watch(fromOffsetRange(sim.kafka(), range, { isolationLevel: 'read_committed' }));
  await sim.until(() => seen.isComplete || seen.error !== undefined);
  const found = written.map((_, partition) =>
    seen.values
      .filter((record) => record.partition === partition)
      .map(({ value }) => String(value)),
  );
  const expected = written.map((count, partition) =>
    Array.from({ length: count }, (_, n) => `${partition}:${n}`),
  );
  for (const copier of copiers) copier.crash();
  const errors = copiers.flatMap((copier) => copier.errors);
  return { found, expected, errors };
}

test.each(Array.from({ length: RUNS }, (_, i) => FIRST_SEED + i))(
  'every record is copied once and in order, whatever befalls copiers and cluster: seed %i',
  async (seed) => {
    const { found, expected, errors } = await run(seed);
    expect(found).toEqual(expected);
    // One that comes back under its id fences what it left behind: nobody else is in the way.
    for (const error of errors) expect(error).toBeInstanceOf(FencedError);
  },
);
