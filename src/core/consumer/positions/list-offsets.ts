import type { TopicPartition } from '../../group/index.js';
import { groupByTopic } from '../../group/index.js';
import { apis } from '../../protocol/index.js';
import { askLeaders, leaderEpochOf, type Answer } from './ask-leaders.js';
import type { ConsumerContext, Patience } from '../context.js';
import { nameOf } from '../errors.js';

export const LATEST = -1n;
export const EARLIEST = -2n;

/** What to find of a partition: the first record at or after a time, or a special position. */
export interface OffsetQuery extends TopicPartition {
  readonly timestamp: bigint;
}

/** An offset with its record's timestamp; the offset is -1 where no record is that young. */
export interface FoundOffset {
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

/**
 * Finds offsets by time or position, and tells what each leader says as soon as it does.
 *
 * @param isWanted whether what is asked about a partition matters still.
 */
export function findOffsets<Q extends OffsetQuery>(
  context: ConsumerContext,
  targets: readonly Q[],
  patience: Patience,
  onFound: (found: readonly Answer<Q, FoundOffset>[]) => void,
  isWanted: (target: Q) => boolean = () => true,
): Promise<void> {
  const isolationLevel = context.options.isolationLevel === 'read_committed' ? 1 : 0;
  return askLeaders<Q, FoundOffset>(
    context,
    {
      what: 'find an offset of',
      targets,
      isWanted,
      onAnswers: onFound,
      ask: async (channel, mine, timeoutMs) => {
        const version = channel.version(apis.ListOffsets);
        const timestamps = new Map(mine.map((query) => [nameOf(query), query.timestamp]));
        const topics = groupByTopic(mine).map(({ topic, partitions }) => ({
          name: topic,
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            currentLeaderEpoch: leaderEpochOf(context, { topic, partition: partitionIndex }),
            timestamp: timestamps.get(nameOf({ topic, partition: partitionIndex }))!,
          })),
        }));
        const body = { replicaId: -1, topics, ...(version >= 2 && { isolationLevel }) };
        const answer = await channel.send(apis.ListOffsets, version, body, timeoutMs);
        return answer.topics.flatMap(({ name, partitions }) =>
          partitions.map(({ partitionIndex, errorCode, offset, timestamp, ...rest }) => ({
            topic: name,
            partition: partitionIndex,
            errorCode,
            value: {
              // Before 0.10.1 a list of segment starts, the newest first.
              offset: version === 0 ? (rest.oldStyleOffsets[0] ?? -1) : offset,
              timestamp: Number(timestamp),
              leaderEpoch: rest.leaderEpoch,
            },
          })),
        );
      },
    },
    patience,
  );
}

/** The same for all at once, by topic and partition. */
export async function listOffsets(
  context: ConsumerContext,
  queries: readonly OffsetQuery[],
  patience: Patience,
): Promise<Map<string, FoundOffset>> {
  const found = new Map<string, FoundOffset>();
  await findOffsets(context, queries, patience, (answers) => {
    for (const { target, value } of answers) found.set(nameOf(target), value);
  });
  return found;
}
