import { step, type Effect, type Input } from '../machine.js';
import type { ClassicState, ClassicStep } from './state.js';

/** A static member goes without a word, so that its partitions wait for it (KIP-345). */
export function leave(state: ClassicState, keepsMembership: boolean): ClassicStep {
  const over: ClassicState = { ...state, phase: 'over', owned: [], incoming: [] };
  const stop: Effect = { type: 'stop-timers' };
  if (keepsMembership) return step(over, stop, { type: 'left' });
  if (state.memberId !== '') return sendLeave(over, state.memberId, stop, { type: 'call-off' });
  // The coordinator knows the member before the member knows its id, and has others wait for it: also
  // since KIP-394, where it gives out an id that is to be joined with.
  if (state.phase === 'joining') {
    return step({ ...over, phase: 'leaving' }, stop, { type: 'repeat-no-more' });
  }
  return step(over, stop, { type: 'left' });
}

function sendLeave(
  state: ClassicState,
  memberId: string,
  ...before: readonly Effect[]
): ClassicStep {
  return step({ ...state, phase: 'leaving', memberId }, ...before, {
    type: 'send',
    request: { type: 'leave', memberId },
  });
}

export function reduceLeaving(state: ClassicState, input: Input): ClassicStep {
  const done = step<ClassicState>({ ...state, phase: 'over' }, { type: 'left' });
  const awaited = state.memberId === '' ? 'join' : 'leave';
  if (input.type === 'unanswered') return input.request.type === awaited ? done : step(state);
  if (input.type !== 'answered' || input.answer.type !== awaited) return step(state);
  if (input.answer.type !== 'join' || input.answer.body.memberId === '') return done;
  return sendLeave(state, input.answer.body.memberId);
}
