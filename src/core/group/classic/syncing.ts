import { brokerError } from '../../protocol/index.js';
import type { MemberAssignment } from '../assignors/assignor.js';
import { andThen, step, type Effect } from '../machine.js';
import { without } from '../topic-partition.js';
import { decodeAssignment } from './blobs.js';
import { mismatchOf, rejoin } from './joining.js';
import { fenced, giveUp, refused, unreadable } from './losing.js';
import { joinLater, sendJoin } from './sending.js';
import type { AnswerTo, ClassicState, ClassicStep } from './state.js';

export function syncAnswered(
  state: ClassicState,
  { body, request }: AnswerTo<'sync'>,
): ClassicStep {
  if (state.phase !== 'syncing' || request.generationId !== state.generationId) {
    return step(state);
  }
  const { name } = brokerError(body.errorCode);
  switch (name) {
    case 'NONE':
      return synced(state, body);
    case 'REBALANCE_IN_PROGRESS':
      return rejoin(state, 'the group began another rebalance');
    case 'UNKNOWN_MEMBER_ID':
    case 'ILLEGAL_GENERATION':
      return fenced(state, name);
    default:
      return refused(state, 'SyncGroup', body.errorCode);
  }
}

function synced(state: ClassicState, body: AnswerTo<'sync'>['body']): ClassicStep {
  const mismatch = mismatchOf(state, body.protocolType, body.protocolName ?? state.assignor);
  if (mismatch !== undefined) return giveUp(state, mismatch);
  try {
    return given(state, decodeAssignment(body.assignment));
  } catch (error) {
    return unreadable(state, error, 'the share that the leader gave this member');
  }
}

function given(state: ClassicState, assignment: MemberAssignment): ClassicStep {
  const { partitions } = assignment;
  const uninvited = partitions.find(({ topic }) => !state.joinedTopics.includes(topic));
  if (uninvited !== undefined) {
    const rejoinReason = `${uninvited.topic} was assigned, which this member does not subscribe to`;
    return joinLater({ ...state, rejoinReason });
  }
  const revoked = without(state.owned, partitions);
  const call = state.call + 1;
  const next: ClassicState = {
    ...state,
    phase: 'completing',
    failures: 0,
    call,
    incoming: partitions,
    // Whoever is to have them gets them in the rebalance that follows (KIP-429).
    rejoinReason: revoked.length === 0 ? state.rejoinReason : 'partitions were handed back',
  };
  const effects = announcements(state, assignment);
  if (revoked.length === 0) return andThen(step(next, ...effects), tellAssigned);
  return step(next, ...effects, { type: 'revoke', call, partitions: revoked });
}

function announcements(state: ClassicState, assignment: MemberAssignment): Effect[] {
  const { settings, generationId, memberId, assignor, isLeader } = state;
  const { partitions } = assignment;
  const { groupId } = settings;
  return [
    { type: 'note-assignment', assignor, assignment, generationId },
    {
      type: 'emit',
      event: {
        type: 'joined',
        groupId,
        memberId,
        generationId,
        protocol: 'classic',
        assignor,
        isLeader,
        partitions,
      },
    },
  ];
}

/** Tells the handler what comes, also when that is nothing: the rebalance is over. */
function tellAssigned(state: ClassicState): ClassicStep {
  const { owned, incoming } = state;
  const call = state.call + 1;
  const added = without(incoming, owned);
  return step({ ...state, call, owned: incoming }, { type: 'assign', call, added, all: incoming });
}

/** The handler is done with what it was told last. */
export function calledBack(state: ClassicState): ClassicStep {
  if (state.phase === 'revoking') return sendJoin({ ...state, owned: state.incoming });
  if (state.phase !== 'completing') return step(state);
  const revoked = without(state.owned, state.incoming);
  if (revoked.length > 0) return tellAssigned({ ...state, owned: without(state.owned, revoked) });
  return settle({ ...state, phase: 'stable' });
}

/** Does what could not be done during the rebalance. */
export function settle(state: ClassicState): ClassicStep {
  if (state.rejoinReason !== undefined) return rejoin(state, state.rejoinReason);
  const hasChanged = !sameTopics(state.topics, state.joinedTopics);
  return hasChanged ? rejoin(state, 'the pattern matches other topics now') : step(state);
}

function sameTopics(a: readonly string[], b: readonly string[]): boolean {
  const known = new Set(a);
  return known.size === new Set(b).size && b.every((topic) => known.has(topic));
}
