import { createKafka, type LifecycleEvent } from '../../src/index.js';
import { JavaClients } from '../support/java/clients.js';
import { startKafka, type KafkaCluster } from '../support/kafka/cluster.js';
import { waitUntil } from '../support/kafka/readiness.js';
import { Wire } from '../support/kafka/wire.js';
import { Dice } from './dice.js';
import { Load } from './load.js';
import { parseName, violations } from './verify.js';

const TOPIC = 'chaos';
const PARTITIONS = 6;
/** Records that each calm phase waits for. */
const CALM_RECORDS = 2000;
const PATIENCE_MS = 60_000;

export interface ChaosOptions {
  readonly seed: number;
  /** How many brokers are brought down, one after the other. */
  readonly rounds: number;
  /** How they are brought down: SIGKILL dies, SIGTERM leaves in order, SIGSTOP hangs. */
  readonly signals: readonly ('SIGKILL' | 'SIGTERM' | 'SIGSTOP')[];
  readonly tell: (line: string) => void;
}

export interface ChaosReport {
  readonly acked: number;
  readonly found: number;
  readonly failed: number;
  /** Batches that were sent more than once. */
  readonly retried: number;
  readonly violations: readonly string[];
}

/**
 * Brings down brokers of a real three-node cluster, leaders first, while records are written with
 * acks=all and idempotence; then lets Java read what is there.
 */
export async function killBrokers(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, rounds, tell } = options;
  const dice = new Dice(seed);
  tell(`seed ${seed}`);
  await using cluster = await startKafka({
    version: '4.3',
    nodes: 3,
    // Dead brokers are noticed sooner than by default.
    properties: { 'broker.session.timeout.ms': 3000, 'broker.heartbeat.interval.ms': 500 },
  });
  const { bootstrapServers } = cluster;
  const wire = new Wire(bootstrapServers);
  await wire.createTopic(TOPIC, { partitions: PARTITIONS, replicationFactor: 3 });
  await using kafka = createKafka({ bootstrapServers, requestTimeoutMs: 5000 });
  const retried: LifecycleEvent[] = [];
  kafka.lifecycle.subscribe((event) => {
    if (event.type === 'retried') retried.push(event);
  });
  const producer = kafka.producer({
    acks: 'all',
    enableIdempotence: true,
    requestTimeoutMs: 5000,
    // The load goes on while brokers are away: a push source, and what waits of it is many small values.
    bufferMemory: 256 * 1024 * 1024,
    compressionType: dice.pick(['none', 'lz4', 'zstd']),
  });
  const load = new Load(producer, TOPIC, PARTITIONS);
  await calm(load);
  for (let round = 0; round < rounds; round++) {
    await bringDown(cluster, wire, load, options, dice);
    await calm(load);
  }
  await load.stop();
  await kafka.close();
  await wire.close();
  await using java = await JavaClients.start('4.3.1');
  const config = { 'isolation.level': 'read_committed' };
  const read = await java.readAll(bootstrapServers, TOPIC, config);
  const found = read.map(({ value, partition, offset }) => ({
    ...parseName(String(value)),
    partition,
    offset,
  }));
  return {
    acked: load.acked.length,
    found: found.length,
    failed: load.failures.length,
    retried: retried.length,
    violations: [
      ...load.failures.slice(0, 5).map(({ error }) => `a record failed: ${error.message}`),
      ...violations({ sent: load.sent, acked: load.acked, found }),
    ],
  };
}

/** Takes a broker that leads something away, sees that all goes on without it, and brings it back. */
async function bringDown(
  cluster: KafkaCluster,
  wire: Wire,
  load: Load,
  { signals, tell }: ChaosOptions,
  dice: Dice,
): Promise<void> {
  const leader = (await wire.leaders(TOPIC))[dice.below(PARTITIONS)]!;
  const node = cluster.nodes.find(({ id }) => id === leader)!;
  const signal = dice.pick(signals);
  const before = load.acked.length;
  const startedAt = performance.now();
  tell(`${signal} to broker ${leader} after ${before} acknowledged records`);
  await node.kill(signal);
  // What was acknowledged just now may have been on its way back already.
  const downAt = load.acked.length;
  await waitUntil(
    () => load.silentSince(downAt).length === 0,
    PATIENCE_MS,
    () =>
      `partitions ${load.silentSince(downAt).join()} acknowledged nothing without broker ${leader}`,
  );
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  tell(`every partition acknowledges again after ${seconds} s`);
  if (signal === 'SIGSTOP') await node.kill('SIGCONT');
  else await node.start();
  await wire.awaitInSync(TOPIC);
  tell(`broker ${leader} is back in sync`);
}

async function calm(load: Load): Promise<void> {
  const enough = load.acked.length + CALM_RECORDS;
  await waitUntil(
    () => load.acked.length >= enough,
    PATIENCE_MS,
    () => `${enough - load.acked.length} of ${CALM_RECORDS} records were not acknowledged`,
  );
}
