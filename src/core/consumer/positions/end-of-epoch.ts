import type { TopicPartition } from '../../group/index.js';
import { groupByTopic } from '../../group/index.js';
import { apis } from '../../protocol/index.js';
import { askLeaders, leaderEpochOf, type Answer } from './ask-leaders.js';
import type { ConsumerContext, Patience } from '../context.js';
import { nameOf } from '../errors.js';

export interface EpochQuery extends TopicPartition {
  /** The epoch of the record that was consumed last. */
  readonly leaderEpoch: number;
}

/** Where an epoch ended in the leader's log. */
export interface EpochEnd {
  /** The epoch itself, or the last one before it; -1 when the leader knows nothing of it. */
  readonly leaderEpoch: number;
  /** -1 when the leader knows nothing of it. */
  readonly endOffset: number;
  /** Of the leader that says so; -1 where that is not known. */
  readonly saidIn: number;
}

/**
 * Asks leaders where epochs ended, to find out whether a log was cut off (KIP-320).
 *
 * @param isWanted whether what is asked about a partition matters still.
 */
export function endOfEpochs<Q extends EpochQuery>(
  context: ConsumerContext,
  targets: readonly Q[],
  patience: Patience,
  onEnds: (ends: readonly Answer<Q, EpochEnd>[]) => void,
  isWanted: (target: Q) => boolean,
): Promise<void> {
  return askLeaders<Q, EpochEnd>(
    context,
    {
      what: 'check the position in',
      targets,
      isWanted,
      onAnswers: onEnds,
      ask: async (channel, mine, timeoutMs) => {
        const version = channel.version(apis.OffsetForLeaderEpoch);
        const epochs = new Map(mine.map((query) => [nameOf(query), query.leaderEpoch]));
        // A leader that was deposed since, or was not told yet that it leads, refuses (KIP-320).
        const current = new Map(
          mine.map((query) => [nameOf(query), leaderEpochOf(context, query)]),
        );
        const topics = groupByTopic(mine).map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map((partition) => {
            const name = nameOf({ topic, partition });
            return {
              partition,
              currentLeaderEpoch: current.get(name)!,
              leaderEpoch: epochs.get(name)!,
            };
          }),
        }));
        const body = { replicaId: -1, topics };
        const answer = await channel.send(apis.OffsetForLeaderEpoch, version, body, timeoutMs);
        return answer.topics.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, errorCode, leaderEpoch, endOffset }) => ({
            topic,
            partition,
            errorCode,
            value: {
              leaderEpoch,
              endOffset,
              saidIn: current.get(nameOf({ topic, partition })) ?? -1,
            },
          })),
        );
      },
    },
    patience,
  );
}
