import { handlers } from './handlers/index.js';
import type { ResolvedEmbeddedOptions } from './options.js';
import type { ClusterSettings } from './state/cluster.js';
import { profileOf, type Feature } from './versions.js';

/** How a cluster of these options behaves. */
export function clusterSettings(options: ResolvedEmbeddedOptions): ClusterSettings {
  const profile = profileOf(options.version, new Set(handlers.keys()));
  return {
    clusterId: options.clusterId,
    profile,
    clock: options.clock,
    numPartitions: options.numPartitions,
    defaultReplicationFactor: options.defaultReplicationFactor,
    autoCreateTopicsEnable: options.autoCreateTopicsEnable,
    rackAwareFetch: options.rackAwareFetch,
    validatesEachRecord: options.validateEachRecord,
    features: withLevels(profile.features, options.features),
    topicDefaults: new Map([
      ...profile.topicDefaults,
      ['min.insync.replicas', String(options.minInsyncReplicas)],
    ]),
    maxFetchSessions: options.maxIncrementalFetchSessionCacheSlots,
    maxTransactionTimeoutMs: options.transactionMaxTimeoutMs,
    transactionalIdExpirationMs: options.transactionalIdExpirationMs,
    groups: {
      initialRebalanceDelayMs: options.groupInitialRebalanceDelayMs,
      minSessionTimeoutMs: options.groupMinSessionTimeoutMs,
      maxSessionTimeoutMs: options.groupMaxSessionTimeoutMs,
      maxSize: options.groupMaxSize,
      consumerSessionTimeoutMs: options.groupConsumerSessionTimeoutMs,
      consumerHeartbeatIntervalMs: options.groupConsumerHeartbeatIntervalMs,
      assignmentIntervalMs: options.groupConsumerAssignmentIntervalMs,
      migrationPolicy: options.groupConsumerMigrationPolicy,
      offsetMetadataMaxBytes: options.offsetMetadataMaxBytes,
    },
  };
}

/** The features of a Kafka line with some of them at other levels. */
function withLevels(
  features: readonly Feature[],
  levels: Readonly<Record<string, number>>,
): Feature[] {
  const known = features.map((feature) => {
    const finalized = levels[feature.name] ?? feature.finalized;
    return { ...feature, finalized, maxVersion: Math.max(feature.maxVersion, finalized) };
  });
  const added = Object.entries(levels)
    .filter(([name]) => features.every((feature) => feature.name !== name))
    .map(([name, level]) => ({ name, minVersion: 0, maxVersion: level, finalized: level }));
  return [...known, ...added];
}
