import { startKafka, type KafkaCluster } from '../test/support/kafka/cluster.js';

export const KAFKA = '4.3';
export const PARTITIONS = 6;
const SEGMENT_BYTES = 64 * 1024 * 1024;

/** A broker as servers run it, but that it forgets soon, so that a bench does not fill the disk. */
export function startBroker(): Promise<KafkaCluster> {
  return startKafka({
    version: KAFKA,
    jvmFlags: ['-Xmx1g', '-Xms1g'],
    properties: {
      'log.segment.bytes': SEGMENT_BYTES,
      'log.retention.bytes': SEGMENT_BYTES,
      'log.retention.check.interval.ms': 5000,
      'log.segment.delete.delay.ms': 1000,
    },
  });
}
