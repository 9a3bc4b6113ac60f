import type { Cluster, RequestBody, RequestOptions } from '../cluster/index.js';
import { type ApiName, type Resolved, type ResponseOf } from '../protocol/index.js';
import { KafkaError } from '../util/errors.js';
import type { Assignor, RebalanceProtocol } from './assignors/assignor.js';
import { encodeSubscription } from './classic/blobs.js';
import { PROTOCOL_TYPE } from './classic/joining.js';
import type {
  Answer,
  ConsumerHeartbeatRequest,
  GroupRequest,
  HeartbeatRequest,
  JoinRequest,
  LeaveRequest,
  SyncRequest,
} from './machine.js';
import type { GroupMetrics } from './metrics.js';
import type { GroupOptions } from './options.js';
import { messageOf } from '../util/message-of.js';

/** Longer than the coordinator waits for the slowest member. */
const JOIN_MARGIN_MS = 5000;
const MAX_REASON_LENGTH = 255;
/** In these versions fields came that a body must not have before. */
const JOIN_WITH_INSTANCE_ID = 5;
const SYNC_WITH_PROTOCOL = 5;
const WITH_INSTANCE_ID = 3;
const LEAVE_OF_SEVERAL = 3;

export interface CoordinatorOptions {
  readonly group: GroupOptions;
  readonly assignors: readonly Assignor[];
  readonly rebalanceProtocol: RebalanceProtocol;
  /** How long the coordinator waits for members; brokers before 0.10.1 take the session timeout. */
  readonly rebalanceTimeoutMs: number;
  readonly metrics: GroupMetrics;
  readonly onRetry: (api: string, reason: KafkaError) => void;
}

/** Turns the machines' requests into messages, and sends them to whoever coordinates the group. */
export class Coordinator {
  private awaited = new AbortController();
  /** Of requests whose answers are awaited, but that are not repeated. */
  private lastTries: AbortController | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly options: CoordinatorOptions,
  ) {}

  /** Rejects when no answer will come. */
  async send(request: GroupRequest): Promise<Answer> {
    const answered = this.options.metrics.sent(request);
    const answer = await this.exchange(request);
    answered(answer);
    return answer;
  }

  /** Awaits none of the answers that are still to come. */
  callOff(): void {
    this.awaited.abort();
    this.lastTries?.abort();
    this.awaited = new AbortController();
  }

  /** Asks nothing once more that is under way, and has failed or does so from now on. */
  repeatNoMore(): void {
    this.lastTries = this.awaited;
    this.awaited = new AbortController();
  }

  private exchange(request: GroupRequest): Promise<Answer> {
    switch (request.type) {
      case 'join':
        return this.join(request);
      case 'sync':
        return this.sync(request);
      case 'heartbeat':
        return this.heartbeat(request);
      case 'leave':
        return this.leave(request);
      case 'consumer-heartbeat':
        return this.consumerHeartbeat(request);
    }
  }

  private async join(request: JoinRequest): Promise<Answer> {
    const { group, rebalanceTimeoutMs } = this.options;
    const protocols = this.protocolsOf(request);
    const body = await this.ask(
      'JoinGroup',
      (version) => ({
        groupId: group.groupId,
        sessionTimeoutMs: group.sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: request.memberId,
        ...(version >= JOIN_WITH_INSTANCE_ID && { groupInstanceId: group.groupInstanceId ?? null }),
        protocolType: PROTOCOL_TYPE,
        protocols,
        reason: request.reason.slice(0, MAX_REASON_LENGTH),
      }),
      this.joinOptions(),
    );
    return { type: 'join', request, body };
  }

  private async sync(request: SyncRequest): Promise<Answer> {
    const { group } = this.options;
    const body = await this.ask(
      'SyncGroup',
      (version) => ({
        groupId: group.groupId,
        generationId: request.generationId,
        memberId: request.memberId,
        ...(version >= WITH_INSTANCE_ID && { groupInstanceId: group.groupInstanceId ?? null }),
        ...(version >= SYNC_WITH_PROTOCOL && {
          protocolType: PROTOCOL_TYPE,
          protocolName: request.assignor,
        }),
        assignments: [...request.assignments],
      }),
      this.joinOptions(),
    );
    return { type: 'sync', request, body };
  }

  private async heartbeat(request: HeartbeatRequest): Promise<Answer> {
    const { group } = this.options;
    const body = await this.ask('Heartbeat', (version) => ({
      groupId: group.groupId,
      generationId: request.generationId,
      memberId: request.memberId,
      ...(version >= WITH_INSTANCE_ID && { groupInstanceId: group.groupInstanceId ?? null }),
    }));
    return { type: 'heartbeat', request, body };
  }

  private async leave(request: LeaveRequest): Promise<Answer> {
    const { groupId } = this.options.group;
    const { memberId } = request;
    const reason = 'the consumer was closed';
    const body = await this.ask('LeaveGroup', (version) =>
      version >= LEAVE_OF_SEVERAL
        ? { groupId, members: [{ memberId, reason }] }
        : { groupId, memberId },
    );
    return { type: 'leave', request, body };
  }

  private async consumerHeartbeat(request: ConsumerHeartbeatRequest): Promise<Answer> {
    const { groupId, groupInstanceId } = this.options.group;
    const { fields } = request;
    const { topicPartitions } = fields;
    const body = await this.ask('ConsumerGroupHeartbeat', (version) => ({
      groupId,
      memberId: request.memberId,
      memberEpoch: request.memberEpoch,
      instanceId: groupInstanceId ?? null,
      rackId: fields.rackId ?? null,
      rebalanceTimeoutMs: fields.rebalanceTimeoutMs ?? -1,
      subscribedTopicNames: fields.subscribedTopicNames?.slice() ?? null,
      ...(version >= 1 && { subscribedTopicRegex: fields.subscribedTopicRegex ?? null }),
      serverAssignor: fields.serverAssignor ?? null,
      topicPartitions:
        topicPartitions === undefined
          ? null
          : [...topicPartitions].map(([topicId, partitions]) => ({
              topicId,
              partitions: [...partitions],
            })),
    }));
    return { type: 'consumer-heartbeat', request, body };
  }

  private ask<A extends ApiName>(
    api: A,
    body: RequestBody<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<Resolved<A>>> {
    const { group, onRetry } = this.options;
    const { awaited } = this;
    return this.cluster.request({ group: group.groupId }, api, body, {
      timeoutMs: group.requestTimeoutMs,
      signal: awaited.signal,
      onRetry: (reason) => {
        if (awaited === this.lastTries) awaited.abort();
        else onRetry(api, reason);
      },
      ...options,
    });
  }

  /** What waits for the whole group has a connection to itself, so that nothing waits behind it. */
  private joinOptions(): RequestOptions {
    const { group, rebalanceTimeoutMs } = this.options;
    const timeoutMs = Math.max(group.requestTimeoutMs, rebalanceTimeoutMs + JOIN_MARGIN_MS);
    return { purpose: 'join', timeoutMs };
  }

  private protocolsOf(request: JoinRequest): { name: string; metadata: Buffer }[] {
    const { assignors, rebalanceProtocol, group } = this.options;
    return assignors.map((assignor) => ({
      name: assignor.name,
      metadata: encodeSubscription({
        groupInstanceId: null,
        topics: request.topics,
        userData: this.userDataOf(assignor, request.topics),
        ownedPartitions: rebalanceProtocol === 'cooperative' ? request.ownedPartitions : [],
        generationId: request.generationId < 0 ? undefined : request.generationId,
        rackId: group.clientRack === '' ? undefined : group.clientRack,
      }),
    }));
  }

  private userDataOf(assignor: Assignor, topics: readonly string[]): Buffer | null {
    try {
      return assignor.subscriptionUserData?.(topics) ?? null;
    } catch (error) {
      throw assignorFailed(assignor.name, error);
    }
  }
}

/** An assignor of the user's that throws. */
export function assignorFailed(name: string, cause: unknown): KafkaError {
  const reason = messageOf(cause);
  return new KafkaError(`The assignor '${name}' failed: ${reason}`, {
    code: 'ASSIGNOR_FAILED',
    cause,
  });
}
