import type { Cluster, RequestOptions } from '../../cluster/index.js';
import { findVersion } from '../../network/index.js';
import { apis, brokerError, type BrokerError } from '../../protocol/index.js';
import { unreachable } from '../../util/assert.js';
import { UnsupportedVersionError } from '../../util/errors.js';
import type { ProducerIdentity } from '../sequences.js';
import { worstOf } from './judge.js';
import type {
  OffsetsOperation,
  Place,
  TransactionAnswer,
  TransactionGroup,
  TransactionProtocol,
  TransactionRequest,
} from './state.js';

const { AddOffsetsToTxn, AddPartitionsToTxn, EndTxn, InitProducerId, TxnOffsetCommit } = apis;
/** Later versions are for brokers (KIP-890). */
const LAST_ADD_PARTITIONS_OF_CLIENTS = 3;
const LAST_END_OF_PROTOCOL_1 = 4;
const LAST_OFFSETS_OF_PROTOCOL_1 = 4;
const FIRST_INIT_THAT_BUMPS = 3;
const FIRST_OFFSETS_WITH_MEMBER = 3;

/** What brokers can do about transactions. */
export interface TransactionSupport {
  readonly protocol: TransactionProtocol;
  readonly canBump: boolean;
  /** Offsets can be stored as a member (KIP-447). */
  readonly hasMemberOffsets: boolean;
}

export interface TransactionCoordinatorOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Told as they are, for how long to wait is for the state machine to say. */
const handsBack: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS']);

/** Turns the state machine's requests into messages, and sends them to whoever coordinates. */
export class TransactionCoordinator {
  constructor(
    private readonly cluster: Cluster,
    private readonly options: TransactionCoordinatorOptions,
  ) {}

  /**
   * Finds out which protocol is in force.
   *
   * @throws UnsupportedVersionError below Kafka 0.11.
   */
  async support(timeoutMs: number): Promise<TransactionSupport> {
    const { transactionalId, signal } = this.options;
    const any = await this.cluster.capabilities('any', { timeoutMs, signal });
    if (findVersion(InitProducerId, any) === undefined) throw tooOld();
    const route = { transactionalId };
    const { features, apis: ranges } = await this.cluster.capabilities(route, {
      timeoutMs,
      signal,
    });
    return {
      protocol: (features.get('transaction.version') ?? 0) >= 2 ? 2 : 1,
      canBump: (ranges.get(InitProducerId.key)?.max ?? 0) >= FIRST_INIT_THAT_BUMPS,
      hasMemberOffsets: (ranges.get(TxnOffsetCommit.key)?.max ?? 0) >= FIRST_OFFSETS_WITH_MEMBER,
    };
  }

  /** Rejects when no answer will come. */
  send(request: TransactionRequest): Promise<TransactionAnswer> {
    switch (request.type) {
      case 'init-producer-id':
        return this.init(request.identity);
      case 'add-partitions':
        return this.addPartitions(request.identity, request.partitions);
      case 'add-offsets':
        return this.addOffsets(request.identity, request.groupId);
      case 'commit-offsets':
        return this.commitOffsets(request.identity, request.protocol, request.operation);
      case 'end':
        return this.end(request);
      default:
        return unreachable(request);
    }
  }

  private async init(identity: ProducerIdentity | undefined): Promise<TransactionAnswer> {
    const { transactionalId, transactionTimeoutMs } = this.options;
    const body = { transactionalId, transactionTimeoutMs };
    const answer = await this.cluster.request(
      { transactionalId },
      InitProducerId,
      (version) =>
        version >= FIRST_INIT_THAT_BUMPS && identity !== undefined
          ? { ...body, producerId: identity.producerId, producerEpoch: identity.epoch }
          : body,
      this.patience(),
    );
    return { error: brokerError(answer.errorCode), identity: identityOf(answer) };
  }

  private async addPartitions(
    { producerId, epoch }: ProducerIdentity,
    partitions: readonly Place[],
  ): Promise<TransactionAnswer> {
    const { transactionalId } = this.options;
    const route = { transactionalId };
    const answer = await this.cluster.request(
      route,
      AddPartitionsToTxn,
      {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: epoch,
        v3AndBelowTopics: byTopic(partitions).map(([name, places]) => ({
          name,
          partitions: places.map(({ partition }) => partition),
        })),
      },
      { ...this.patience(), maxVersion: LAST_ADD_PARTITIONS_OF_CLIENTS },
    );
    const said = answer.resultsByTopicV3AndBelow.flatMap(({ name: topic, resultsByPartition }) =>
      resultsByPartition.map(({ partitionIndex: partition, partitionErrorCode }) => ({
        place: { topic, partition },
        error: brokerError(partitionErrorCode),
      })),
    );
    return this.decide('add-partitions', said, route);
  }

  private async addOffsets(
    { producerId, epoch: producerEpoch }: ProducerIdentity,
    groupId: string,
  ): Promise<TransactionAnswer> {
    const { transactionalId } = this.options;
    const { errorCode } = await this.cluster.request(
      { transactionalId },
      AddOffsetsToTxn,
      { transactionalId, producerId, producerEpoch, groupId },
      this.patience(),
    );
    return { error: brokerError(errorCode) };
  }

  private async commitOffsets(
    { producerId, epoch: producerEpoch }: ProducerIdentity,
    protocol: TransactionProtocol,
    { group, offsets }: OffsetsOperation,
  ): Promise<TransactionAnswer> {
    const { transactionalId } = this.options;
    const route = { group: group.groupId };
    const topics = byTopic(offsets).map(([name, places]) => ({
      name,
      partitions: places.map(({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: leaderEpoch,
        committedMetadata: metadata,
      })),
    }));
    const answer = await this.cluster.request(
      route,
      TxnOffsetCommit,
      (version) => ({
        transactionalId,
        groupId: group.groupId,
        producerId,
        producerEpoch,
        ...memberOf(group, version),
        topics,
      }),
      {
        ...this.patience(),
        ...(protocol === 1 && { maxVersion: LAST_OFFSETS_OF_PROTOCOL_1 }),
      },
    );
    const said = answer.topics.flatMap(({ name: topic, partitions }) =>
      partitions.map(({ partitionIndex: partition, errorCode }) => ({
        place: { topic, partition },
        error: brokerError(errorCode),
      })),
    );
    return this.decide('commit-offsets', said, route);
  }

  private async end({
    identity: { producerId, epoch: producerEpoch },
    protocol,
    isCommit: committed,
  }: Extract<TransactionRequest, { type: 'end' }>): Promise<TransactionAnswer> {
    const { transactionalId } = this.options;
    const answer = await this.cluster.request(
      { transactionalId },
      EndTxn,
      { transactionalId, producerId, producerEpoch, committed },
      { ...this.patience(), ...(protocol === 1 && { maxVersion: LAST_END_OF_PROTOCOL_1 }) },
    );
    return { error: brokerError(answer.errorCode), identity: identityOf(answer) };
  }

  /** The error that decides; whoever is not the coordinator any more is forgotten. */
  private decide(
    request: TransactionRequest['type'],
    said: readonly { readonly place: Place; readonly error: BrokerError }[],
    route: { readonly transactionalId: string } | { readonly group: string },
  ): TransactionAnswer {
    const worst = worstOf(request, [brokerError(0), ...said.map(({ error }) => error)]);
    const isElsewhere =
      worst.name === 'NOT_COORDINATOR' || worst.name === 'COORDINATOR_NOT_AVAILABLE';
    if (isElsewhere) this.cluster.forgetCoordinator(route);
    return { error: worst, place: said.find(({ error }) => error.code === worst.code)?.place };
  }

  private patience(): RequestOptions {
    const { requestTimeoutMs: timeoutMs, signal } = this.options;
    return { timeoutMs, signal, handsBack };
  }
}

function identityOf({
  producerId,
  producerEpoch,
}: {
  readonly producerId: number;
  readonly producerEpoch: number;
}): ProducerIdentity | undefined {
  return producerId < 0 ? undefined : { producerId, epoch: producerEpoch };
}

/** As whom offsets are stored, where the broker can check it (KIP-447). */
function memberOf(
  { groupId, memberId, generationId, groupInstanceId }: TransactionGroup,
  version: number,
) {
  if (version >= FIRST_OFFSETS_WITH_MEMBER) {
    return {
      memberId: memberId ?? '',
      generationId: generationId ?? -1,
      groupInstanceId: groupInstanceId ?? null,
    };
  }
  if (memberId === undefined || memberId === '') return {};
  throw new UnsupportedVersionError(
    `Cannot send offsets of group ${groupId} as a member of it: that needs Kafka 2.5 (KIP-447). With ` +
      `older brokers give each input partition a transactional id of its own ` +
      `(transactionalIdPer: 'partition'), and sendOffsets() the group's id alone`,
    { context: { api: 'TxnOffsetCommit' } },
  );
}

function tooOld(): UnsupportedVersionError {
  return new UnsupportedVersionError(
    'Transactions need Kafka 0.11 or later, and the broker is older',
  );
}

function byTopic<T extends Place>(places: readonly T[]): [topic: string, places: T[]][] {
  const topics = new Map<string, T[]>();
  for (const place of places) {
    const known = topics.get(place.topic);
    if (known === undefined) topics.set(place.topic, [place]);
    else known.push(place);
  }
  return [...topics];
}
