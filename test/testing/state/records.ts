import { encodeRecords, readBatches, type EncodeOptions } from '../../../src/core/records/index.js';
import { Log } from '../../../src/testing/state/log.js';
import { TopicConfig } from '../../../src/testing/state/topic-config.js';
import { profileOf, type KafkaRelease } from '../../../src/testing/versions.js';

/** One batch of `count` records that say where they are in it. */
export function batchOf(count: number, options: EncodeOptions & { timestamp?: number } = {}) {
  const { timestamp = 1000, ...rest } = options;
  const records = Array.from({ length: count }, (_, i) => ({
    key: `k${i}`,
    value: `v${i}`,
    timestamp: timestamp + i,
  }));
  return readBatches(encodeRecords(records, rest));
}

/** The rules of sequences of a Kafka line. */
export function rulesOf(release: KafkaRelease) {
  return profileOf(release, new Set()).sequenceRules;
}

export function newLog(
  configs: Readonly<Record<string, string>> = {},
  release: KafkaRelease = '4.3',
): Log {
  return new Log(new TopicConfig(new Map(), configs), rulesOf(release));
}
