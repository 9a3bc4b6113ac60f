import { Subject } from 'rxjs';
import { expect, test } from 'vitest';
import { sendAll, toTopic, type KafkaError, type Producer, type Receipt } from '../../src/index.js';
import { Simulation } from '../support/simulation.js';
import { Dice } from './dice.js';
import { nameOf, parseName, violations, type AckedRecord, type SentRecord } from './verify.js';

const TOPIC = 'chaos';
const PARTITIONS = 4;
const BROKERS = 3;
const STEPS = 60;
/** More with RX_KAFKA_RUNS, to search for long; RX_KAFKA_SEED repeats one. */
const RUNS = Number(process.env['RX_KAFKA_RUNS'] ?? 40);
const FIRST_SEED = Number(process.env['RX_KAFKA_SEED'] ?? 1);

interface Addressed {
  readonly record: SentRecord;
  readonly partition: number;
}

/** Writes to a topic in every way there is, and keeps book. */
class Writers {
  readonly sent = new Map<string, number>();
  readonly acked: AckedRecord[] = [];
  readonly failures: KafkaError[] = [];
  private readonly pushed = new Subject<Addressed>();
  private readonly running: Promise<unknown>[] = [];

  constructor(
    private readonly producer: Producer,
    private readonly dice: Dice,
  ) {
    const sink = toTopic(producer, TOPIC, { ...named, onError: 'emit' });
    const stream = new Promise<void>((resolve, reject) => {
      this.pushed.pipe(sink).subscribe({
        next: (outcome) => {
          if ('error' in outcome) this.failures.push(outcome.error);
          else this.acknowledged(outcome.origin.record, outcome);
        },
        error: reject,
        complete: resolve,
      });
    });
    this.running.push(stream);
  }

  write(): void {
    const count = 1 + this.dice.below(20);
    const way = this.dice.pick(['push', 'send', 'pull'] as const);
    const records = Array.from({ length: count }, () => this.next(way));
    switch (way) {
      case 'push':
        for (const each of records) this.pushed.next(each);
        break;
      case 'send':
        for (const { record, partition } of records) this.send(record, partition);
        break;
      case 'pull':
        this.running.push(this.pull(records));
    }
  }

  /** Ends the stream and waits for the outcome of everything. */
  async finish(): Promise<void> {
    this.pushed.complete();
    await this.producer.flush();
    await Promise.all(this.running);
  }

  private send(record: SentRecord, partition: number): void {
    const sent = this.producer.send({ topic: TOPIC, partition, value: nameOf(record) }).then(
      (receipt) => this.acknowledged(record, receipt),
      (error: unknown) => void this.failures.push(error as KafkaError),
    );
    this.running.push(sent);
  }

  private pull(records: readonly Addressed[]): Promise<void> {
    return new Promise((resolve, reject) => {
      sendAll(this.producer, TOPIC, records, named).subscribe({
        next: (receipt) => this.acknowledged(receipt.origin.record, receipt),
        error: reject,
        complete: resolve,
      });
    });
  }

  private next(way: string): Addressed {
    const partition = this.dice.below(PARTITIONS);
    const lane = `${way} ${partition}`;
    const n = this.sent.get(lane) ?? 0;
    this.sent.set(lane, n + 1);
    return { record: { lane, n }, partition };
  }

  private acknowledged(record: SentRecord, { partition, offset }: Receipt<unknown>): void {
    this.acked.push({ ...record, partition, offset });
  }
}

const named = {
  toRecord: ({ record, partition }: Addressed) => ({ partition, value: nameOf(record) }),
};

/** Does one thing to a cluster that a real one has to live with. */
async function disturb({ cluster }: Simulation, dice: Dice): Promise<void> {
  const broker = 1 + dice.below(BROKERS);
  const api = dice.pick(['Produce', 'Produce', 'Produce', 'Metadata', 'InitProducerId'] as const);
  switch (dice.pick(['fail', 'lose', 'cut', 'move', 'restart', 'delay', 'throttle'] as const)) {
    case 'fail':
      cluster.failNext('Produce', dice.pick(passing), 1 + dice.below(3));
      break;
    case 'lose':
      cluster.drop(api, 1 + dice.below(2), { when: 'after' });
      break;
    case 'cut':
      cluster.drop(api, 1 + dice.below(2), { when: 'before', broker });
      break;
    case 'move': {
      const { isRunning } = cluster.inspect().brokers.find(({ id }) => id === broker)!;
      if (isRunning) cluster.moveLeader(TOPIC, dice.below(PARTITIONS), broker);
      break;
    }
    case 'restart': {
      const down = cluster.inspect().brokers.filter(({ isRunning }) => !isRunning);
      if (down.length > 0) await cluster.start(dice.pick(down).id);
      else await cluster.stop(broker);
      break;
    }
    case 'delay':
      cluster.delay(api, dice.below(3000), { broker });
      break;
    case 'throttle':
      cluster.throttle('Produce', dice.below(500), { broker });
  }
}

const passing = [
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'REQUEST_TIMED_OUT',
  'CORRUPT_MESSAGE',
  'KAFKA_STORAGE_ERROR',
];

async function run(seed: number): Promise<{ acked: number; wrong: string[] }> {
  const dice = new Dice(seed);
  const topics = { [TOPIC]: PARTITIONS };
  await using sim = await Simulation.start({ brokers: BROKERS, topics }, seed);
  const producer = sim.kafka().producer({
    lingerMs: dice.pick([0, 5, 50]),
    batchSize: dice.pick([1, 200, 16_384]),
    maxInFlightRequestsPerConnection: dice.pick([1, 2, 5]),
    compressionType: dice.pick(['none', 'none', 'snappy', 'lz4']),
    requestTimeoutMs: 2000,
  });
  const writers = new Writers(producer, dice);
  for (let step = 0; step < STEPS; step++) {
    writers.write();
    if (dice.next() < 0.3) await disturb(sim, dice);
    if (dice.next() < 0.5) await sim.advance(dice.below(400));
  }
  sim.cluster.clearFaults();
  for (const id of sim.cluster.brokerIds) await sim.cluster.start(id);
  await sim.run(writers.finish());
  const { sent, acked, failures } = writers;
  const found = sim.cluster.records(TOPIC).map(({ partition, offset, value }) => ({
    ...parseName(String(value)),
    partition,
    offset,
  }));
  const total = [...sent.values()].reduce((sum, count) => sum + count, 0);
  const wrong = violations({ sent, acked, found });
  wrong.push(...failures.map(({ message }) => `failed: ${message}`));
  if (acked.length !== total) wrong.push(`${acked.length} of ${total} were acknowledged`);
  return { acked: acked.length, wrong };
}

test.each(Array.from({ length: RUNS }, (_, i) => FIRST_SEED + i))(
  'every record is written once and in order, whatever befalls the cluster: seed %i',
  async (seed) => {
    const { acked, wrong } = await run(seed);
    expect(wrong).toEqual([]);
    expect(acked).toBeGreaterThan(100);
  },
);
