import { brokerError } from '../../protocol/index.js';
import { ConfigError, type KafkaError } from '../../util/errors.js';
import { andThen, step, type Effect } from '../machine.js';
import { without } from '../topic-partition.js';
import { decodeSubscription } from './blobs.js';
import { giveUp, lose, refused, unreadable } from './losing.js';
import { joinLater, rebalancing, sendJoin, sendSync } from './sending.js';
import type { AnswerTo, ClassicState, ClassicStep } from './state.js';

/** `protocol_type` of every consumer group. */
export const PROTOCOL_TYPE = 'consumer';

/** Joins once more, after what must be given up before that has been. */
export function rejoin(state: ClassicState, reason: string): ClassicStep {
  const next: ClassicState = { ...state, rejoinReason: reason };
  const given = givenUpFirst(state);
  if (given.length === 0) return andThen(step(next, rebalancing(state, reason)), sendJoin);
  const call = state.call + 1;
  const incoming = without(state.owned, given);
  return step({ ...next, phase: 'revoking', call, incoming }, rebalancing(state, reason), {
    type: 'revoke',
    call,
    partitions: given,
  });
}

/** Eager members give up everything, cooperative ones what they don't want any more. */
function givenUpFirst({ settings, owned, topics }: ClassicState): ClassicState['owned'] {
  if (settings.rebalanceProtocol === 'eager') return owned;
  const subscribed = new Set(topics);
  return owned.filter(({ topic }) => !subscribed.has(topic));
}

export function joinAnswered(
  state: ClassicState,
  { body, request }: AnswerTo<'join'>,
): ClassicStep {
  if (state.phase !== 'joining' || request.memberId !== state.memberId) return step(state);
  switch (brokerError(body.errorCode).name) {
    case 'NONE':
      return joined(state, body);
    case 'MEMBER_ID_REQUIRED':
      return sendJoin({ ...state, memberId: body.memberId });
    case 'UNKNOWN_MEMBER_ID':
      return andThen(lose({ ...state, memberId: '' }), joinLater);
    case 'REBALANCE_IN_PROGRESS':
      // A coordinator that could not replicate the member in time says so.
      return joinLater(state);
    default:
      return refused(state, 'JoinGroup', body.errorCode);
  }
}

function joined(state: ClassicState, body: AnswerTo<'join'>['body']): ClassicStep {
  const { memberId, generationId, leader, members, skipAssignment } = body;
  const assignor = body.protocolName ?? '';
  const mismatch = mismatchOf(state, body.protocolType, assignor);
  if (mismatch !== undefined) return giveUp({ ...state, memberId, generationId }, mismatch);
  const isLeader = leader === memberId;
  const next: ClassicState = {
    ...state,
    memberId,
    generationId,
    assignor,
    isLeader,
    rejoinReason: undefined,
  };
  const beats: Effect = {
    type: 'schedule-heartbeat',
    delayMs: state.settings.heartbeatIntervalMs,
  };
  if (!isLeader) return andThen(step(next, beats), (follower) => sendSync(follower, []));
  try {
    const subscriptions = members.map((member) =>
      decodeSubscription(member.memberId, member.groupInstanceId, member.metadata),
    );
    return step({ ...next, phase: 'sharing-out' }, beats, {
      type: 'share-out',
      generationId,
      assignor,
      members: subscriptions,
      isSkipped: skipAssignment,
    });
  } catch (error) {
    return unreadable(next, error, 'what a member told the leader');
  }
}

/** What is wrong with the group that the coordinator put this member into. */
export function mismatchOf(
  { settings }: ClassicState,
  type: string | null,
  assignor: string,
): KafkaError | undefined {
  const of = `Cannot be a member of group '${settings.groupId}'`;
  const options = { code: 'INCONSISTENT_GROUP_PROTOCOL' };
  if (type !== null && type !== PROTOCOL_TYPE) {
    return new ConfigError(`${of}: it is of type '${type}'; set another groupId`, options);
  }
  if (settings.assignors.includes(assignor)) return undefined;
  const offered = settings.assignors.join(', ');
  return new ConfigError(
    `${of}: it uses the assignor '${assignor}', but this member offers ${offered}`,
    options,
  );
}
