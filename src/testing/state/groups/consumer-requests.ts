import type { ConsumerMember, MemberSubscription } from './consumer-member.js';
import type { Partitions } from './partitions.js';

/** A ConsumerGroupHeartbeat: what is `null` is as before. */
export interface ConsumerHeartbeat {
  readonly memberId: string;
  readonly epoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** -1 where it is as before. */
  readonly rebalanceTimeoutMs: number;
  readonly topicNames: readonly string[] | null;
  readonly regex: string | null;
  readonly serverAssignor: string | null;
  readonly owned: Partitions | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** The answer to it. */
export interface ConsumerVerdict {
  readonly memberId: string;
  readonly epoch: number;
  /** `null` where it is as before. */
  readonly assignment: Partitions | null;
}

/** What a heartbeat says anew. */
export function changesOf(request: ConsumerHeartbeat, before: ConsumerMember): MemberSubscription {
  const { rebalanceTimeoutMs, topicNames } = request;
  return {
    instanceId: request.instanceId ?? before.instanceId,
    rackId: request.rackId ?? before.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? before.rebalanceTimeoutMs : rebalanceTimeoutMs,
    topicNames: topicNames === null ? before.topicNames : [...new Set(topicNames)].sort(),
    regex: request.regex ?? before.regex,
    serverAssignor: request.serverAssignor ?? before.serverAssignor,
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: null,
  };
}

export function hasSameTopics(a: MemberSubscription, b: MemberSubscription): boolean {
  return a.regex === b.regex && a.topicNames.join() === b.topicNames.join();
}

/** A member that repeats everything has not understood the last answer. */
export function isFullRequest({ rebalanceTimeoutMs, topicNames, regex, owned }: ConsumerHeartbeat) {
  return rebalanceTimeoutMs !== -1 && (topicNames !== null || regex !== null) && owned !== null;
}
