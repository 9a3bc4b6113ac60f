import { KafkaError, ProtocolError } from '../../util/errors.js';
import { groupError } from '../errors.js';
import { andThen, step } from '../machine.js';
import { joinLater, rebalancing, sendJoin } from './sending.js';
import { NO_GENERATION, type ClassicState, type ClassicStep } from './state.js';

/** The member has no place in the group any more, and what it had is not its own. */
export function lose(state: ClassicState): ClassicStep {
  const { owned } = state;
  const next: ClassicState = {
    ...state,
    generationId: NO_GENERATION,
    owned: [],
    incoming: [],
    // Whatever the handler is busy with decides nothing any more.
    call: state.call + 1,
    isLeader: false,
    watched: undefined,
  };
  return owned.length === 0 ? step(next) : step(next, { type: 'lose', partitions: owned });
}

/** The group has gone on without this member, which joins anew: the first time at once. */
export function fenced(state: ClassicState, name: string): ClassicStep {
  const reason = `the coordinator said ${name}`;
  const memberId = name === 'UNKNOWN_MEMBER_ID' ? '' : state.memberId;
  return andThen(lose({ ...state, memberId, rejoinReason: reason }), (next) => {
    const again = next.failures === 0 ? sendJoin : joinLater;
    const failures = Math.max(1, next.failures);
    return andThen(step({ ...next, failures }, rebalancing(next, reason)), again);
  });
}

/** What trying again doesn't cure. */
export function fail(state: ClassicState, error: KafkaError): ClassicStep {
  return andThen(lose(state), (next) =>
    step({ ...next, phase: 'over' }, { type: 'stop-timers' }, { type: 'fail', error }),
  );
}

/** What the group does not know of: the consumer commits and leaves. */
export function giveUp(state: ClassicState, error: KafkaError): ClassicStep {
  return step(state, { type: 'give-up', error });
}

export function refused(state: ClassicState, api: string, code: number): ClassicStep {
  return fail(state, groupError(state.settings.groupId, api, code));
}

/** What another member has written, and nobody can read. */
export function unreadable(state: ClassicState, error: unknown, what: string): ClassicStep {
  if (error instanceof KafkaError) return giveUp(state, error);
  return giveUp(
    state,
    new ProtocolError(`${what} can't be read: ${String(error)}`, { cause: error }),
  );
}
