import type { EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient } from '../../support/embedded-client.js';

/** How a member joins. */
export interface JoinOptions {
  readonly memberId?: string;
  readonly version?: number;
  readonly protocolType?: string;
  /** Names, or names with metadata. Default: `range`. */
  readonly protocols?: readonly (string | readonly [name: string, metadata: string])[];
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
}

/** One member of a classic group on a connection of its own, moved by hand. */
export class ClassicMember {
  memberId = '';
  generationId = -1;
  readonly client: EmbeddedClient;

  constructor(
    readonly cluster: EmbeddedKafka,
    readonly groupId: string,
    readonly instanceId: string | null = null,
    broker?: number,
  ) {
    const coordinator = broker ?? cluster.inspect().groups[groupId]?.coordinator;
    this.client = new EmbeddedClient(cluster, coordinator ?? cluster.brokerIds[0]!);
  }

  /** Joins with what it was told last, and remembers what it is told. */
  async join(options: JoinOptions = {}) {
    const { version = 9, sessionTimeoutMs = 10_000, rebalanceTimeoutMs = 60_000 } = options;
    const answer = await this.client.request('JoinGroup', version, {
      groupId: this.groupId,
      sessionTimeoutMs,
      ...(version >= 1 && { rebalanceTimeoutMs }),
      memberId: options.memberId ?? this.memberId,
      ...(version >= 5 && { groupInstanceId: this.instanceId }),
      protocolType: options.protocolType ?? 'consumer',
      protocols: (options.protocols ?? ['range']).map((offer) => {
        const [name, metadata] = typeof offer === 'string' ? [offer, ''] : offer;
        return { name, metadata: Buffer.from(metadata, 'latin1') };
      }),
    });
    this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generationId = answer.generationId;
    return answer;
  }

  /** Gets an id first where one is needed, then joins. */
  async enter(options: JoinOptions = {}) {
    const first = await this.join(options);
    return first.errorCode === 79 ? this.join(options) : first;
  }

  sync(assignments: Readonly<Record<string, string>> = {}, version = 5) {
    return this.client.request('SyncGroup', version, {
      groupId: this.groupId,
      generationId: this.generationId,
      memberId: this.memberId,
      ...(version >= 3 && { groupInstanceId: this.instanceId }),
      ...(version >= 5 && { protocolType: 'consumer', protocolName: 'range' }),
      assignments: Object.entries(assignments).map(([memberId, assignment]) => ({
        memberId,
        assignment: Buffer.from(assignment, 'latin1'),
      })),
    });
  }

  async heartbeat(version = 4): Promise<number> {
    const { errorCode } = await this.client.request('Heartbeat', version, {
      groupId: this.groupId,
      generationId: this.generationId,
      memberId: this.memberId,
      ...(version >= 3 && { groupInstanceId: this.instanceId }),
    });
    return errorCode;
  }

  leave() {
    const { groupId, memberId, instanceId: groupInstanceId } = this;
    return this.client.request('LeaveGroup', 5, {
      groupId,
      members: [{ memberId, groupInstanceId }],
    });
  }
}
