import { alterConfigs } from './alter-configs.js';
import { apiVersions } from './api-versions.js';
import { createPartitions } from './create-partitions.js';
import { createTopics } from './create-topics.js';
import { deleteRecords } from './delete-records.js';
import { deleteTopics } from './delete-topics.js';
import { describeAcls } from './describe-acls.js';
import { describeCluster } from './describe-cluster.js';
import { describeConfigs } from './describe-configs.js';
import { describeLogDirs } from './describe-log-dirs.js';
import { describeTopicPartitions } from './describe-topic-partitions.js';
import { fetch } from './fetch.js';
import { findCoordinator } from './find-coordinator.js';
import type { AnyHandler } from './handler.js';
import { incrementalAlterConfigs } from './incremental-alter-configs.js';
import { initProducerId } from './init-producer-id.js';
import { listGroups } from './list-groups.js';
import { listOffsets } from './list-offsets.js';
import { metadata } from './metadata.js';
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.js';
import { produce } from './produce.js';

/** How each API is answered, by its key. What is not here is not advertised. */
export const handlers: ReadonlyMap<number, AnyHandler> = new Map(
  [
    produce,
    fetch,
    listOffsets,
    metadata,
    findCoordinator,
    listGroups,
    apiVersions,
    createTopics,
    deleteTopics,
    deleteRecords,
    initProducerId,
    offsetForLeaderEpoch,
    describeAcls,
    describeConfigs,
    alterConfigs,
    describeLogDirs,
    createPartitions,
    incrementalAlterConfigs,
    describeCluster,
    describeTopicPartitions,
  ].map((handler) => [handler.api.key, handler]),
);
