import type { TopicPartition } from '../group/index.js';
import { groupByTopic } from '../group/index.js';
import { apis } from '../protocol/index.js';
import { askLeaders } from './ask-leaders.js';
import type { ConsumerContext, Patience } from './context.js';
import { nameOf } from './errors.js';

export interface EpochQuery extends TopicPartition {
  /** The epoch of the record that was consumed last. */
  readonly leaderEpoch: number;
}

/** Where an epoch ended in the leader's log; both -1 when the leader knows nothing of it. */
export interface EpochEnd {
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

/** Asks leaders where epochs ended, to find out whether a log was cut off (KIP-320). */
export function endOfEpochs(
  context: ConsumerContext,
  queries: readonly EpochQuery[],
  patience: Patience,
): Promise<Map<string, EpochEnd>> {
  const epochs = new Map(queries.map((query) => [nameOf(query), query.leaderEpoch]));
  return askLeaders<EpochQuery, EpochEnd>(
    context,
    'check the position in',
    queries,
    async (channel, mine, timeoutMs) => {
      const version = channel.version(apis.OffsetForLeaderEpoch);
      const topics = groupByTopic(mine).map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((partition) => ({
          partition,
          leaderEpoch: epochs.get(nameOf({ topic, partition }))!,
        })),
      }));
      const body = { replicaId: -1, topics };
      const answer = await channel.send(apis.OffsetForLeaderEpoch, version, body, timeoutMs);
      return answer.topics.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, errorCode, leaderEpoch, endOffset }) => ({
          topic,
          partition,
          errorCode,
          value: { leaderEpoch, endOffset },
        })),
      );
    },
    patience,
  );
}
