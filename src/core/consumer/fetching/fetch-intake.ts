import { brokerError, type apis, type BrokerError, type ResponseOf } from '../../protocol/index.js';
import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ByteBudget, MemoryLease } from './byte-budget.js';
import type { ConsumerContext } from '../context.js';
import { consumerError } from '../errors.js';
import { keyOf, type SessionRequest } from './fetch-session.js';
import { verdictOf } from './fetch-verdict.js';
import { FetchedChunk, scanChunk } from './fetched-chunk.js';
import type { ConsumerMetrics } from '../metrics.js';

export type FetchResponse = ResponseOf<typeof apis.Fetch>;
type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number];

/** What a fetch found out that somebody else has to act on. */
export interface FetchHooks {
  /** There is something to deliver. */
  onFetched(): void;
  /** Nothing can be fetched before bytes are given back. */
  onStarved(): void;
  /** The log has no such offset, and nothing that came before it is left to be done. */
  onOutOfRange(partition: AssignedPartition): void;
  /** The log no longer has what was consumed (KIP-595). */
  onDiverged(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void;
  /** Retrying doesn't cure it. */
  onFatal(error: KafkaError, partition: AssignedPartition | undefined): void;
}

/** One fetch that was answered. */
export interface AnsweredFetch {
  /** Who has answered. */
  readonly node: number;
  readonly request: SessionRequest;
  /** What was asked for and is still wanted, by topic and partition. */
  readonly partitions: ReadonlyMap<string, AssignedPartition>;
  readonly answer: FetchResponse;
}

/** Hands what fetches bring to the partitions it is for, and sees to what brokers say of each. */
export class FetchIntake {
  constructor(
    private readonly context: ConsumerContext,
    private readonly budget: ByteBudget,
    private readonly metrics: ConsumerMetrics,
    private readonly hooks: FetchHooks,
    /** Has partitions wait before they are fetched again, the longer the more often they failed. */
    private readonly backOff: (partitions: readonly AssignedPartition[], failures: number) => void,
  ) {}

  /** Returns how many bytes of records it has taken. */
  take(fetch: AnsweredFetch): number {
    const bytesByTopic = new Map<string, number>();
    const { answer, partitions } = fetch;
    const frame = this.holdFrame(answer);
    const names = namesIn(fetch.request);
    for (const { topic, topicId, partitions: answers } of answer.responses) {
      const name = topic === '' ? (names.get(topicId) ?? '') : topic;
      let topicBytes = 0;
      for (const given of answers) {
        const partition = partitions.get(keyOf({ topic: name, partition: given.partitionIndex }));
        if (partition === undefined) continue;
        const error = brokerError(given.errorCode);
        if (error.code !== 0) this.takeError(fetch, partition, given, error);
        else topicBytes += this.takePartition(partition, given, frame);
      }
      if (topicBytes > 0) bytesByTopic.set(name, topicBytes);
    }
    frame?.release();
    return this.metrics.received(bytesByTopic);
  }

  /** Counts the memory of the answer, which the slices in it keep alive. */
  private holdFrame({ responses }: FetchResponse): MemoryLease | undefined {
    for (const { partitions } of responses) {
      for (const { records } of partitions) {
        if (records === null || records.length === 0) continue;
        return this.budget.hold(records.buffer.byteLength);
      }
    }
    return undefined;
  }

  private takePartition(
    partition: AssignedPartition,
    given: PartitionAnswer,
    frame: MemoryLease | undefined,
  ): number {
    const { divergingEpoch, preferredReadReplica, records } = given;
    if (divergingEpoch.endOffset >= 0) {
      this.hooks.onDiverged(partition, divergingEpoch.endOffset, divergingEpoch.epoch);
      return 0;
    }
    partition.retryAt = 0;
    partition.failures = 0;
    partition.highWatermark = given.highWatermark;
    partition.lastStableOffset = given.lastStableOffset;
    if (given.logStartOffset >= 0) partition.logStartOffset = given.logStartOffset;
    if (preferredReadReplica >= 0) this.readFrom(preferredReadReplica, partition);
    if (records === null || records.length === 0 || frame === undefined) return 0;
    return this.takeRecords(partition, given, records, frame);
  }

  /** The leader gives nothing itself: a replica is nearer (KIP-392). */
  private readFrom(node: number, partition: AssignedPartition): void {
    const { clock, cluster, options } = this.context;
    // After that the leader is asked again: another replica may be nearer by then.
    const until = clock.monotonic() + options.metadataMaxAgeMs;
    partition.preferredReplica = { node, until };
    // Until it is known where that is the leader would say the same, at once, again and again.
    if (!cluster.metadata.brokers.has(node)) this.backOff([partition], 0);
  }

  private takeRecords(
    partition: AssignedPartition,
    { abortedTransactions }: PartitionAnswer,
    records: Buffer,
    frame: MemoryLease,
  ): number {
    const { fetchOffset, topic, partition: index } = partition;
    const { nextOffset, lastLeaderEpoch, missingBytes } = scanChunk(records, fetchOffset);
    if (missingBytes > 0) {
      partition.wantedBytes = missingBytes;
      return 0;
    }
    const isCommittedOnly = this.context.options.isolationLevel === 'read_committed';
    const aborted = isCommittedOnly ? (abortedTransactions ?? []) : undefined;
    const context = { topic, partition: index };
    partition.buffer.push(new FetchedChunk(records, fetchOffset, aborted, frame.retain(), context));
    partition.wantedBytes = 0;
    partition.fetchOffset = nextOffset;
    if (lastLeaderEpoch >= 0) partition.lastFetchedEpoch = lastLeaderEpoch;
    return records.length;
  }

  private takeError(
    { node, answer }: AnsweredFetch,
    partition: AssignedPartition,
    { currentLeader }: PartitionAnswer,
    error: BrokerError,
  ): void {
    const { cluster } = this.context;
    const { topic, partition: index } = partition;
    const verdict = verdictOf(error, node === partition.preferredReplica.node);
    partition.preferredReplica = { node: -1, until: 0 };
    // What was fetched before is still good, and what is worked on may exist nowhere else.
    const isInUse = partition.hasRecords || partition.ledger.unacked > 0;
    if (verdict === 'out-of-range' && !isInUse) {
      this.hooks.onOutOfRange(partition);
      return;
    }
    if (verdict === 'fatal') {
      const context = { topic, partition: index };
      this.hooks.onFatal(consumerError(`fetch from ${partition.key}`, error, context), partition);
      return;
    }
    const known = cluster.topic(topic)?.partitions[index]?.leaderEpoch ?? -1;
    if (currentLeader.leaderId >= 0 && currentLeader.leaderEpoch > known) {
      // Told where to go (KIP-951): no need to wait.
      cluster.hint({ topic, partition: index, ...currentLeader }, answer.nodeEndpoints);
      return;
    }
    this.context.emit({ type: 'fetch-failed', topic, partition: index, reason: error.name });
    this.backOff([partition], partition.failures++);
  }
}

/** Names of the topics that an answer may speak of by id. */
function namesIn({ next, send }: SessionRequest): Map<string, string> {
  const names = new Map<string, string>();
  for (const each of [...next.partitions.values(), ...send]) names.set(each.topicId, each.topic);
  return names;
}
