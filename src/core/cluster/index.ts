export { parseBootstrapServers } from './bootstrap.js';
export type { BrokerChannel, Purpose } from './channel.js';
export { Cluster, type RequestBody, type RequestOptions } from './cluster.js';
export type { ClusterEvent } from './events.js';
export type {
  BrokerNode,
  ClusterMetadata,
  LeaderHint,
  MetadataChange,
  NodeEndpoint,
  PartitionMetadata,
  TopicMetadata,
} from './metadata.js';
export type { ClusterOptions } from './options.js';
export type { Route } from './routing.js';
export { aborted, pause } from './wait.js';
