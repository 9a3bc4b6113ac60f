import { brokerError } from '../../protocol/index.js';
import { unreachable } from '../../util/assert.js';
import type { KafkaError } from '../../util/errors.js';
import { groupError } from '../errors.js';
import { andThen, step, type AssignmentById, type Effect, type Input } from '../machine.js';
import { sendHeartbeat } from './heartbeats.js';
import { leave, reduceLeaving } from './leaving.js';
import { calledBack, reconcile, sameAssignment } from './reconciling.js';
import type { ConsumerState, ConsumerStep, HeartbeatAnswer } from './state.js';

/**
 * Membership in a group of the new protocol (KIP-848): the coordinator assigns, and heartbeats carry
 * everything. A member is told what it is to have, gives up and takes up at its own pace while
 * others go on, and says when it is there.
 */
export function reduceConsumer(state: ConsumerState, input: Input): ConsumerStep {
  if (state.phase === 'over') return step(state);
  if (state.phase === 'leaving') return reduceLeaving(state, input);
  switch (input.type) {
    case 'join':
      return state.phase === 'idle' ? sendHeartbeat({ ...state, phase: 'joining' }) : step(state);
    case 'answered':
      return input.answer.type === 'consumer-heartbeat'
        ? answered(state, input.answer)
        : step(state);
    case 'unanswered':
      return unanswered(state, input.error);
    case 'heartbeat-due':
    case 'retry-due':
      return sendHeartbeat(state);
    case 'called-back':
      return input.call === state.call ? calledBack(state) : step(state);
    case 'topics-matched':
      return topicsMatched(state, input.topics);
    case 'topics-resolved':
      return reconcile({ ...state, names: new Map([...state.names, ...input.names]) });
    case 'check-wanted':
      return state.phase === 'idle' ? step(state) : sendHeartbeat({ ...state, told: undefined });
    case 'broke':
      return step(state, { type: 'give-up', error: input.error });
    case 'leave':
      return leave(state, input.keepsMembership);
    case 'shared-out':
    case 'not-shared-out':
    case 'layouts-seen':
      return step(state);
    default:
      return unreachable(input);
  }
}

function answered(before: ConsumerState, { body, request }: HeartbeatAnswer): ConsumerStep {
  const state: ConsumerState = { ...before, isHeartbeatUnderWay: false };
  const { name } = brokerError(body.errorCode);
  switch (name) {
    case 'NONE':
      return accepted(state, body, request.memberEpoch);
    case 'UNKNOWN_MEMBER_ID':
    case 'FENCED_MEMBER_EPOCH':
      return fenced(state, name);
    default:
      return fail(
        state,
        groupError(
          state.settings.groupId,
          'ConsumerGroupHeartbeat',
          body.errorCode,
          body.errorMessage,
        ),
      );
  }
}

function accepted(
  state: ConsumerState,
  body: HeartbeatAnswer['body'],
  sentEpoch: number,
): ConsumerStep {
  const target = body.assignment === null ? state.target : byId(body.assignment.topicPartitions);
  const next: ConsumerState = {
    ...state,
    memberId: body.memberId ?? state.memberId,
    epoch: body.memberEpoch,
    target,
    failures: 0,
  };
  const effects: Effect[] = [{ type: 'schedule-heartbeat', delayMs: body.heartbeatIntervalMs }];
  if (sentEpoch > 0 && hasChanged(state.target, target)) {
    const { groupId } = state.settings;
    const reason = 'the coordinator assigned other partitions';
    effects.push({ type: 'emit', event: { type: 'rebalancing', groupId, reason } });
  }
  return andThen(andThen(step(next, ...effects), reconcile), (settled) =>
    settled.isHeartbeatWanted ? sendHeartbeat(settled) : step(settled),
  );
}

function hasChanged(before: AssignmentById | undefined, now: AssignmentById | undefined): boolean {
  if (before === undefined || now === undefined) return before !== now;
  return !sameAssignment(before, now);
}

function byId(
  topics: readonly { readonly topicId: string; readonly partitions: readonly number[] }[],
): AssignmentById {
  return new Map(topics.map(({ topicId, partitions }) => [topicId, partitions]));
}

/** The group has gone on without this member, which joins anew: the first time at once. */
function fenced(state: ConsumerState, name: string): ConsumerStep {
  const { groupId } = state.settings;
  const reason = `the coordinator said ${name}`;
  const { failures } = state;
  return andThen(lose(state), (next) => {
    const joining: ConsumerState = { ...next, phase: 'joining', failures: failures + 1 };
    const event: Effect = { type: 'emit', event: { type: 'rebalancing', groupId, reason } };
    if (failures > 0) return step(joining, event, { type: 'schedule-retry', failures });
    return andThen(step(joining, event), sendHeartbeat);
  });
}

function lose(state: ConsumerState): ConsumerStep {
  const next: ConsumerState = {
    ...state,
    epoch: 0,
    told: undefined,
    isHeartbeatWanted: false,
    target: undefined,
    current: undefined,
    next: undefined,
    owned: [],
    incoming: [],
    // Whatever the handler is busy with decides nothing any more.
    call: state.call + 1,
  };
  return state.owned.length === 0
    ? step(next)
    : step(next, { type: 'lose', partitions: state.owned });
}

function fail(state: ConsumerState, error: KafkaError): ConsumerStep {
  return andThen(lose(state), (next) =>
    step({ ...next, phase: 'over' }, { type: 'stop-timers' }, { type: 'fail', error }),
  );
}

/** Whether it arrived is not known, so the next one says everything again. */
function unanswered(state: ConsumerState, error: KafkaError): ConsumerStep {
  if (!error.isRetriable) return fail(state, error);
  const { settings, failures } = state;
  return step(
    { ...state, isHeartbeatUnderWay: false, told: undefined, failures: failures + 1 },
    {
      type: 'emit',
      event: {
        type: 'group-retried',
        groupId: settings.groupId,
        api: 'ConsumerGroupHeartbeat',
        reason: error.message,
      },
    },
    { type: 'schedule-retry', failures },
  );
}

function topicsMatched(state: ConsumerState, topics: readonly string[]): ConsumerStep {
  const known = new Set(state.topics);
  const isSame = known.size === topics.length && topics.every((topic) => known.has(topic));
  if (isSame || state.phase === 'idle') return step(isSame ? state : { ...state, topics });
  return sendHeartbeat({ ...state, topics });
}
