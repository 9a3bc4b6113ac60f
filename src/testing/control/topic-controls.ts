import { readBatches } from '../../core/records/index.js';
import { ConfigError } from '../../core/util/errors.js';
import type { Cluster } from '../state/cluster.js';
import type { TopicSpec } from '../state/topic-plans.js';
import { brokerOf, orKafkaError, partitionOf, topicOf } from './lookup.js';

/** Makes and unmakes topics, and moves what is in them. */
export interface TopicControls {
  /**
   * Makes a topic.
   *
   * @throws KafkaError with the code that CreateTopics would answer.
   * @example
   * cluster.createTopic('orders', { partitions: 6, configs: { 'cleanup.policy': 'compact' } });
   */
  createTopic(name: string, spec?: TopicSpec): void;

  /**
   * Deletes a topic; one that is made anew has another id.
   *
   * @example
   * cluster.deleteTopic('orders');
   */
  deleteTopic(name: string): void;

  /**
   * Makes another replica lead a partition, which begins a new leader epoch.
   *
   * @param broker One of the partition's replicas that runs.
   * @example
   * cluster.moveLeader('orders', 0, 2);
   */
  moveLeader(topic: string, partition: number, broker: number): void;

  /**
   * Sets which replicas are in sync, for `min.insync.replicas` to bite while all brokers run.
   *
   * @example
   * cluster.setIsr('orders', 0, [1]); // acks=all fails where two are wanted
   */
  setIsr(topic: string, partition: number, isr: readonly number[]): void;

  /**
   * Loses the end of a log, as an unclean election does: records from `offset` on are gone and a
   * new leader epoch begins. A batch that holds `offset` goes as a whole.
   *
   * @example
   * cluster.truncate('orders', 0, 100);
   */
  truncate(topic: string, partition: number, offset: number): void;

  /**
   * Writes batches into a log as they are, of any format and also control batches, without the
   * checks that Produce makes but for those of a producer's sequence.
   *
   * @returns The offset of the first record.
   * @throws KafkaError with the code that Produce would answer.
   * @example
   * cluster.append('orders', 0, encodeRecords([{ value: 'hello' }]));
   */
  append(topic: string, partition: number, batches: Uint8Array): number;
}

export function topicControls(cluster: Cluster): TopicControls {
  return {
    createTopic(name, spec = {}) {
      orKafkaError(() => cluster.createTopic(name, spec));
    },
    deleteTopic: (name) => cluster.deleteTopic(topicOf(cluster, name)),
    moveLeader: (topic, index, broker) => moveLeader(cluster, topic, index, broker),
    setIsr: (topic, index, isr) => setIsr(cluster, topic, index, isr),
    truncate: (topic, index, offset) => partitionOf(cluster, topic, index).truncateTo(offset),
    append(topic, index, batches) {
      const partition = partitionOf(cluster, topic, index);
      const parsed = readBatches(Buffer.from(batches));
      return orKafkaError(() => partition.append(parsed, cluster.clock.now())).baseOffset;
    },
  };
}

function moveLeader(cluster: Cluster, topic: string, index: number, broker: number): void {
  const partition = partitionOf(cluster, topic, index);
  const said = `Broker ${broker} can't lead ${topic}-${index}`;
  if (!partition.replicas.includes(broker)) {
    throw new ConfigError(`${said}: its replicas are ${partition.replicas.join(', ')}`);
  }
  if (!brokerOf(cluster, broker).isRunning) throw new ConfigError(`${said}: it is stopped`);
  if (!partition.isr.includes(broker)) partition.isr = [...partition.isr, broker];
  partition.elect(broker);
}

function setIsr(cluster: Cluster, topic: string, index: number, isr: readonly number[]): void {
  const partition = partitionOf(cluster, topic, index);
  const { replicas } = partition;
  if (isr.length === 0 || isr.some((id) => !replicas.includes(id))) {
    throw new ConfigError(
      `The in-sync replicas of ${topic}-${index} can't be [${isr.join(', ')}]: they are some ` +
        `of its replicas, ${replicas.join(', ')}`,
    );
  }
  partition.isr = replicas.filter((id) => isr.includes(id));
}
