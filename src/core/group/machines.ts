import { bytesToUuid } from '../protocol/index.js';
import type { Clock } from '../util/clock.js';
import type { Assignor, RebalanceProtocol } from './assignors/assignor.js';
import { reduceClassic } from './classic/reduce.js';
import { initialClassicState, viewClassic } from './classic/state.js';
import { reduceConsumer } from './consumer/reduce.js';
import { initialConsumerState, viewConsumer } from './consumer/state.js';
import type { Effect, Input, MembershipView, Step } from './machine.js';
import type { GroupOptions } from './options.js';

/** A state machine with its state. */
export interface Machine {
  readonly view: MembershipView;
  dispatch(input: Input): readonly Effect[];
}

/** A machine of the classic protocol. */
export function classicMachine(
  options: GroupOptions,
  topics: readonly string[],
  assignors: readonly Assignor[],
  rebalanceProtocol: RebalanceProtocol,
): Machine {
  const { groupId, groupInstanceId = null, heartbeatIntervalMs, clientRack } = options;
  const settings = {
    groupId,
    groupInstanceId,
    rebalanceProtocol,
    assignors: assignors.map(({ name }) => name),
    heartbeatIntervalMs,
    isRackAware: clientRack !== '',
  };
  return machineOf(initialClassicState(settings, topics), reduceClassic, viewClassic);
}

/**
 * A machine of the new protocol.
 *
 * @param topicRegex what the broker is to match; `undefined` where the topics are named.
 * @param memberId empty where the broker chooses it.
 */
export function consumerMachine(
  options: GroupOptions,
  topics: readonly string[],
  topicRegex: string | undefined,
  memberId: string,
): Machine {
  const { groupId, groupInstanceId = null, clientRack, rebalanceTimeoutMs } = options;
  const settings = {
    groupId,
    groupInstanceId,
    rackId: clientRack === '' ? undefined : clientRack,
    rebalanceTimeoutMs,
    serverAssignor: options.groupRemoteAssignor,
    topicRegex,
  };
  return machineOf(initialConsumerState(settings, topics, memberId), reduceConsumer, viewConsumer);
}

/** An id that no other member has, as Kafka's clients make them. */
export function randomMemberId(clock: Clock): string {
  const bytes = Uint8Array.from({ length: 16 }, () => Math.floor(clock.random() * 256));
  return bytesToUuid(bytes);
}

function machineOf<S>(
  initial: S,
  reduce: (state: S, input: Input) => Step<S>,
  view: (state: S) => MembershipView,
): Machine {
  let state = initial;
  return {
    get view() {
      return view(state);
    },
    dispatch(input) {
      const next = reduce(state, input);
      state = next.state;
      return next.effects;
    },
  };
}
