import { ZERO_UUID, type apis, type ResponseOf } from '../protocol/index.js';

/** A broker as the cluster's metadata names it. */
export interface BrokerNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface PartitionMetadata {
  readonly partition: number;
  /** The broker that leads it; -1 while there is none. */
  readonly leader: number;
  /** -1 where it is not known, or not to be trusted. */
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offline: readonly number[];
  readonly errorCode: number;
}

export interface TopicMetadata {
  readonly name: string;
  /** `ZERO_UUID` where the cluster has no topic ids. */
  readonly id: string;
  readonly isInternal: boolean;
  readonly errorCode: number;
  /** By number of the partition. */
  readonly partitions: readonly PartitionMetadata[];
}

/** What is known of a cluster at one time. Never changed, only replaced. */
export interface ClusterMetadata {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, BrokerNode>;
  readonly topics: ReadonlyMap<string, TopicMetadata>;
  /** Names by topic id. */
  readonly topicNames: ReadonlyMap<string, string>;
}

/** What an update changed. */
export type MetadataChange =
  | { readonly type: 'brokers' }
  | { readonly type: 'topic-added'; readonly topic: string }
  | { readonly type: 'topic-removed'; readonly topic: string }
  | { readonly type: 'topic-recreated'; readonly topic: string }
  | { readonly type: 'partitions-added'; readonly topic: string; readonly count: number }
  | { readonly type: 'leader'; readonly topic: string; readonly partition: number };

/** A snapshot and how it differs from the one before. */
export interface MetadataUpdate {
  readonly metadata: ClusterMetadata;
  readonly changes: readonly MetadataChange[];
}

export const emptyMetadata: ClusterMetadata = {
  clusterId: null,
  controllerId: -1,
  brokers: new Map(),
  topics: new Map(),
  topicNames: new Map(),
};

type MetadataResponse = ResponseOf<typeof apis.Metadata>;

/** Leader epochs were unreliable before (KIP-320). */
const FIRST_VERSION_WITH_TRUSTED_EPOCHS = 9;

/**
 * Takes an answer in. Topics that were not asked for stay as they are; for those that were, a
 * partition whose leader epoch is lower than the one known keeps what is known, unless the topic's
 * id shows that it is another topic by now.
 */
export function reduceMetadata(
  previous: ClusterMetadata,
  answer: MetadataResponse,
  version: number,
): MetadataUpdate {
  const changes: MetadataChange[] = [];
  const brokers = new Map(
    answer.brokers.map(({ nodeId, host, port, rack }) => [
      nodeId,
      { id: nodeId, host, port, rack },
    ]),
  );
  if (!sameBrokers(previous.brokers, brokers)) changes.push({ type: 'brokers' });
  const topics = new Map(previous.topics);
  for (const given of answer.topics) {
    const name = given.name ?? previous.topicNames.get(given.topicId);
    if (name === undefined || name === '') continue;
    const known = previous.topics.get(name);
    const next = reduceTopic(name, known, given, version);
    changes.push(...topicChanges(known, next));
    topics.set(name, next);
  }
  const metadata = {
    clusterId: answer.clusterId ?? previous.clusterId,
    controllerId: answer.controllerId,
    brokers: brokers.size > 0 ? brokers : previous.brokers,
    topics,
    topicNames: namesById(topics),
  };
  return { metadata, changes };
}

type AnsweredTopic = MetadataResponse['topics'][number];

function reduceTopic(
  name: string,
  known: TopicMetadata | undefined,
  given: AnsweredTopic,
  version: number,
): TopicMetadata {
  const isSameTopic = known !== undefined && !isRecreated(known.id, given.topicId);
  const partitions: PartitionMetadata[] = [];
  for (const partition of given.partitions) {
    const index = partition.partitionIndex;
    const before = isSameTopic ? known.partitions[index] : undefined;
    const trusts = version >= FIRST_VERSION_WITH_TRUSTED_EPOCHS;
    const leaderEpoch = trusts ? partition.leaderEpoch : -1;
    const isStale = before !== undefined && leaderEpoch >= 0 && leaderEpoch < before.leaderEpoch;
    partitions[index] = isStale
      ? before
      : {
          partition: index,
          leader: partition.leaderId,
          leaderEpoch,
          replicas: partition.replicaNodes,
          isr: partition.isrNodes,
          offline: partition.offlineReplicas,
          errorCode: partition.errorCode,
        };
  }
  fillGaps(partitions);
  const { topicId: id, isInternal, errorCode } = given;
  return { name, id, isInternal, errorCode, partitions };
}

/** A broker may leave out partitions it knows nothing of; the list stays dense. */
function fillGaps(partitions: PartitionMetadata[]): void {
  for (let partition = 0; partition < partitions.length; partition++) {
    partitions[partition] ??= {
      partition,
      leader: -1,
      leaderEpoch: -1,
      replicas: [],
      isr: [],
      offline: [],
      errorCode: 5,
    };
  }
}

function isRecreated(known: string, given: string): boolean {
  return known !== ZERO_UUID && given !== ZERO_UUID && known !== given;
}

function topicChanges(known: TopicMetadata | undefined, next: TopicMetadata): MetadataChange[] {
  const topic = next.name;
  const count = next.partitions.length;
  if (known === undefined || known.partitions.length === 0) {
    return count > 0 ? [{ type: 'topic-added', topic }] : [];
  }
  if (isRecreated(known.id, next.id)) return [{ type: 'topic-recreated', topic }];
  if (count === 0) return [{ type: 'topic-removed', topic }];
  const changes: MetadataChange[] = [];
  if (count > known.partitions.length) changes.push({ type: 'partitions-added', topic, count });
  for (const { partition, leader } of next.partitions) {
    const before = known.partitions[partition];
    if (before !== undefined && before.leader !== leader) {
      changes.push({ type: 'leader', topic, partition });
    }
  }
  return changes;
}

/** A leader that a refused request was told of (KIP-951). */
export interface LeaderHint {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

export interface NodeEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** Takes a hint in, if it is newer than what is known. */
export function applyLeaderHint(
  previous: ClusterMetadata,
  { topic, partition, leaderId, leaderEpoch }: LeaderHint,
  endpoints: readonly NodeEndpoint[],
): MetadataUpdate {
  const known = previous.topics.get(topic);
  const before = known?.partitions[partition];
  const endpoint = endpoints.find(({ nodeId }) => nodeId === leaderId);
  const isReachable = endpoint !== undefined || previous.brokers.has(leaderId);
  if (
    known === undefined ||
    before === undefined ||
    leaderEpoch <= before.leaderEpoch ||
    !isReachable
  ) {
    return { metadata: previous, changes: [] };
  }
  const brokers = new Map(previous.brokers);
  if (endpoint !== undefined) {
    const { host, port, rack } = endpoint;
    brokers.set(leaderId, { id: leaderId, host, port, rack });
  }
  const changes: MetadataChange[] = [{ type: 'leader', topic, partition }];
  if (!sameBrokers(previous.brokers, brokers)) changes.unshift({ type: 'brokers' });
  const partitions = [...known.partitions];
  partitions[partition] = {
    ...before,
    leader: leaderId,
    leaderEpoch,
  };
  const topics = new Map(previous.topics).set(topic, { ...known, partitions });
  return {
    metadata: { ...previous, brokers, topics },
    changes,
  };
}

/**
 * What is left to begin anew with: the brokers are forgotten, and the leader epochs are no longer
 * trusted, for a cluster in another place may count them from another start.
 */
export function forgetBrokers(previous: ClusterMetadata): ClusterMetadata {
  const topics = [...previous.topics].map(([name, topic]) => {
    const partitions = topic.partitions.map((partition) => ({ ...partition, leaderEpoch: -1 }));
    return [name, { ...topic, partitions }] as const;
  });
  return { ...previous, brokers: new Map(), topics: new Map(topics) };
}

/** Forgets topics that nobody uses any more. */
export function forgetTopics(
  previous: ClusterMetadata,
  isUsed: (topic: string) => boolean,
): ClusterMetadata {
  const topics = new Map([...previous.topics].filter(([name]) => isUsed(name)));
  return { ...previous, topics, topicNames: namesById(topics) };
}

function namesById(topics: ReadonlyMap<string, TopicMetadata>): Map<string, string> {
  const names = new Map<string, string>();
  for (const { id, name } of topics.values()) if (id !== ZERO_UUID) names.set(id, name);
  return names;
}

function sameBrokers(
  a: ReadonlyMap<number, BrokerNode>,
  b: ReadonlyMap<number, BrokerNode>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [id, { host, port }] of a) {
    const other = b.get(id);
    if (other?.host !== host || other.port !== port) return false;
  }
  return true;
}
