import { createKafka, type ConsumerOptions } from '../../src/index.js';
import { JavaClients } from '../support/java/clients.js';
import { startKafka, type KafkaCluster } from '../support/kafka/cluster.js';
import { waitUntil } from '../support/kafka/readiness.js';
import { Wire } from '../support/kafka/wire.js';
import { Copier } from './copier.js';
import { Dice } from './dice.js';
import type { CopierTask } from './programs/copier.js';

const PARTITIONS = 6;
const PATIENCE_MS = 120_000;
const SESSION_TIMEOUT_MS = 6000;

export interface CopyingOptions {
  readonly seed: number;
  readonly records: number;
  /** How often something is brought down. */
  readonly rounds: number;
  readonly groupProtocol: 'classic' | 'consumer';
  readonly copiers: number;
  readonly identity: 'one-producer' | 'side-by-side';
  readonly tell: (line: string) => void;
}

export interface CopyingReport {
  readonly found: number;
  /** Records that are not there at all. */
  readonly lost: number;
  /** Records that are there again. */
  readonly doubled: number;
  readonly aborted: number;
  readonly brokersDown: number;
  readonly copiersDown: number;
  readonly complaints: readonly string[];
}

/**
 * Has copiers of this library copy what Java has written to a real three-node cluster, by transactions,
 * while brokers and copiers are killed or stopped in order; then lets Java read what is committed.
 */
export async function copyWhileKilling(options: CopyingOptions): Promise<CopyingReport> {
  const { seed, records, rounds, groupProtocol, tell } = options;
  tell(`seed ${seed}, ${groupProtocol}, ${options.copiers} copiers`);
  const dice = new Dice(seed);
  await using cluster = await startKafka({
    version: '4.3',
    nodes: 3,
    properties: {
      'broker.session.timeout.ms': 3000,
      'broker.heartbeat.interval.ms': 500,
      'group.consumer.session.timeout.ms': SESSION_TIMEOUT_MS,
      'group.consumer.min.session.timeout.ms': SESSION_TIMEOUT_MS,
      'group.consumer.heartbeat.interval.ms': 500,
      'group.consumer.min.heartbeat.interval.ms': 500,
    },
  });
  const { bootstrapServers } = cluster;
  const wire = new Wire(bootstrapServers);
  for (const topic of ['from', 'to']) {
    await wire.createTopic(topic, { partitions: PARTITIONS, replicationFactor: 3 });
  }
  await using java = await JavaClients.start('4.3.1');
  await fill(java, bootstrapServers, records);
  const own =
    groupProtocol === 'classic'
      ? { sessionTimeoutMs: SESSION_TIMEOUT_MS, heartbeatIntervalMs: 500 }
      : {};
  const copiers = Array.from(
    { length: options.copiers },
    (_, i) =>
      new Copier({
        bootstrapServers,
        from: 'from',
        to: 'to',
        ...identities[options.identity](i, { groupId: 'copiers', groupProtocol, ...own }),
        maxRecords: 20 + dice.below(200),
      }),
  );
  for (const copier of copiers) copier.start();
  const copied = () => copiers.reduce((sum, copier) => sum + copier.copied, 0);
  let brokersDown = 0;
  for (let round = 0; round < rounds; round++) {
    const enough = Math.min(records, (records * (round + 1)) / (rounds + 1));
    const complaint = () => `${copied()} of ${enough} records were copied`;
    await waitUntil(() => copied() >= enough, PATIENCE_MS, complaint);
    // Both have to be seen.
    const isBroker = round === 0 || (round > 1 && dice.next() < 0.4);
    if (isBroker) brokersDown++;
    await (isBroker
      ? bringBrokerDown(cluster, wire, dice, tell)
      : restart(dice.pick(copiers), dice, tell));
  }
  await using kafka = createKafka({ bootstrapServers });
  const consumer = kafka.consumer({ groupId: 'copiers' });
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic: 'from',
    partition,
  }));
  let left = records;
  const isDone = async () => {
    const offsets = await consumer.committed(partitions);
    left = records - offsets.reduce((sum, { offset }) => sum + offset, 0);
    return left <= 0;
  };
  const troubles = () => copiers.flatMap(({ misdeeds, failures }) => [...misdeeds, ...failures]);
  const unfinished = () => `${left} records were not copied; ${troubles().join('; ')}`;
  await waitUntil(isDone, PATIENCE_MS, unfinished);
  await Promise.all(copiers.map((copier) => copier.leave()));
  await wire.close();
  const read = await java.readAll(bootstrapServers, 'to', { 'isolation.level': 'read_committed' });
  const verdict = verify(
    read.map(({ partition, value }) => ({ partition, value: String(value) })),
    records,
  );
  return {
    ...verdict,
    aborted: copiers.reduce((sum, copier) => sum + copier.aborted, 0),
    brokersDown,
    copiersDown: rounds - brokersDown,
    complaints: [...copiers.flatMap(({ misdeeds }) => misdeeds), ...verdict.complaints],
  };
}

type Identity = (i: number, consumer: ConsumerOptions) => Pick<CopierTask, 'ids' | 'consumer'>;

/** As whom a copier copies: with one producer, or as a static member with producers that take turns. */
const identities: Readonly<Record<CopyingOptions['identity'], Identity>> = {
  'one-producer': (i, consumer) => ({ ids: { transactionalId: `copier-${i}` }, consumer }),
  'side-by-side': (i, consumer) => {
    const groupInstanceId = `copier-${i}`;
    const ids = { transactionalIdPrefix: 'side-by-side', groupInstanceId, concurrency: 2 };
    return { ids, consumer: { ...consumer, groupInstanceId } };
  },
};

/** Values say where they belong: `partition:n`. */
async function fill(java: JavaClients, bootstrapServers: string, records: number): Promise<void> {
  const all = Array.from({ length: records }, (_, i) => ({
    topic: 'from',
    partition: i % PARTITIONS,
    value: `${i % PARTITIONS}:${Math.floor(i / PARTITIONS)}`,
  }));
  await java.send(bootstrapServers, { records: all, then: 'close' });
}

/** Each once, in the order of its partition. */
function verify(
  found: readonly { partition: number; value: string }[],
  records: number,
): Pick<CopyingReport, 'found' | 'lost' | 'doubled' | 'complaints'> {
  const complaints: string[] = [];
  const next = Array.from({ length: PARTITIONS }, () => 0);
  for (const { partition, value } of found) {
    const expected = `${partition}:${next[partition]!++}`;
    if (value !== expected && complaints.length < 10) {
      complaints.push(`partition ${partition} has ${value} where ${expected} belongs`);
    }
  }
  const distinct = new Set(found.map(({ value }) => value)).size;
  const lost = records - distinct;
  const doubled = found.length - distinct;
  if (lost !== 0 || doubled !== 0) complaints.push(`${lost} are lost, ${doubled} are there again`);
  return { found: found.length, lost, doubled, complaints };
}

async function bringBrokerDown(
  cluster: KafkaCluster,
  wire: Wire,
  dice: Dice,
  tell: (line: string) => void,
): Promise<void> {
  const node = dice.pick(cluster.nodes);
  const signal = dice.pick(['SIGKILL', 'SIGKILL', 'SIGTERM'] as const);
  tell(`${signal} to broker ${node.id}`);
  await node.kill(signal);
  await node.start();
  for (const topic of ['from', 'to']) await wire.awaitInSync(topic);
  tell(`broker ${node.id} is back in sync`);
}

async function restart(copier: Copier, dice: Dice, tell: (line: string) => void): Promise<void> {
  const end = dice.pick(['kill', 'leave'] as const);
  tell(`a copier is to ${end}`);
  await copier[end]();
  copier.start();
}
