import { andThen, step, type AssignmentById, type Effect } from '../machine.js';
import { without, type TopicPartition } from '../topic-partition.js';
import { sendHeartbeat } from './heartbeats.js';
import type { ConsumerState, ConsumerStep } from './state.js';

/**
 * Brings the handler from what it has to what it is to have: first what goes, then what comes, then
 * the coordinator is told. Topics whose names are not known yet come later. What the coordinator
 * changes meanwhile is looked at afterwards.
 */
export function reconcile(state: ConsumerState): ConsumerStep {
  const { target, names, current } = state;
  if (target === undefined || state.next !== undefined) return step(state);
  const unresolved = [...target.keys()].filter((id) => !names.has(id));
  const next = new Map([...target].filter(([id]) => names.has(id)));
  const resolve: Effect = { type: 'resolve-topics', ids: unresolved };
  if (current !== undefined && sameAssignment(current, next)) {
    const isDone = unresolved.length === 0;
    const rests = state.phase === 'acknowledging' ? 'acknowledging' : 'stable';
    return step({ ...state, phase: isDone ? rests : 'reconciling' }, resolve);
  }
  const incoming = named(next, names);
  const revoked = without(state.owned, incoming);
  const call = state.call + 1;
  const begun: ConsumerState = { ...state, phase: 'reconciling', next, incoming, call };
  const announced = step(begun, resolve, joinedEvent(begun));
  if (revoked.length === 0) return andThen(announced, tellAssigned);
  return andThen(announced, (busy) => step(busy, { type: 'revoke', call, partitions: revoked }));
}

/** The handler is done with what it was told last. */
export function calledBack(state: ConsumerState): ConsumerStep {
  if (state.next === undefined) return step(state);
  const revoked = without(state.owned, state.incoming);
  if (revoked.length > 0) return tellAssigned({ ...state, owned: without(state.owned, revoked) });
  const reached: ConsumerState = {
    ...state,
    phase: 'acknowledging',
    current: state.next,
    next: undefined,
  };
  return andThen(sendHeartbeat(reached), reconcile);
}

function tellAssigned(state: ConsumerState): ConsumerStep {
  const { owned, incoming } = state;
  const call = state.call + 1;
  const added = without(incoming, owned);
  return step({ ...state, call, owned: incoming }, { type: 'assign', call, added, all: incoming });
}

function joinedEvent({ settings, memberId, epoch, incoming }: ConsumerState): Effect {
  return {
    type: 'emit',
    event: {
      type: 'joined',
      groupId: settings.groupId,
      memberId,
      generationId: epoch,
      protocol: 'consumer',
      assignor: settings.serverAssignor,
      isLeader: false,
      partitions: incoming,
    },
  };
}

function named(
  assignment: AssignmentById,
  names: ReadonlyMap<string, string>,
): readonly TopicPartition[] {
  return [...assignment].flatMap(([id, partitions]) =>
    partitions.map((partition) => ({ topic: names.get(id)!, partition })),
  );
}

export function sameAssignment(a: AssignmentById, b: AssignmentById): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([id, partitions]) => {
    const others = new Set(b.get(id));
    return others.size === partitions.length && partitions.every((each) => others.has(each));
  });
}
