import { step, type ConsumerHeartbeatFields } from '../machine.js';
import type { ConsumerState, ConsumerStep, Told } from './state.js';

/** One at a time; what is to be told while one is under way follows it. */
export function sendHeartbeat(state: ConsumerState): ConsumerStep {
  if (state.isHeartbeatUnderWay) return step({ ...state, isHeartbeatWanted: true });
  const { memberId, epoch, topics, current } = state;
  const told: Told = { topics, current };
  return step(
    {
      ...state,
      phase: state.phase === 'acknowledging' ? 'stable' : state.phase,
      told,
      isHeartbeatUnderWay: true,
      isHeartbeatWanted: false,
    },
    {
      type: 'send',
      request: {
        type: 'consumer-heartbeat',
        memberId,
        memberEpoch: epoch,
        fields: changedFields(state),
      },
    },
  );
}

/** Everything when joining, and after a failure that leaves open what has arrived. */
function changedFields(state: ConsumerState): ConsumerHeartbeatFields {
  const { settings, epoch, told, topics, current } = state;
  const owned = current ?? new Map<string, readonly number[]>();
  if (epoch > 0 && told !== undefined) {
    const hasOtherTopics = settings.topicRegex === undefined && told.topics !== topics;
    return {
      subscribedTopicNames: hasOtherTopics ? topics : undefined,
      topicPartitions: told.current === current ? undefined : owned,
    };
  }
  return {
    rackId: epoch === 0 ? settings.rackId : undefined,
    rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
    subscribedTopicNames: settings.topicRegex === undefined ? topics : [],
    subscribedTopicRegex: settings.topicRegex,
    serverAssignor: settings.serverAssignor,
    topicPartitions: owned,
  };
}
