import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { defineHandler } from './handler.js';
import { checkLeader, checkLeaderEpoch, locatePartition } from './locate.js';

type PartitionQuery = RequestOf<
  typeof apis.OffsetForLeaderEpoch
>['topics'][number]['partitions'][number];

/** Where a leader epoch ended (KIP-101, KIP-320). */
export const offsetForLeaderEpoch = defineHandler(apis.OffsetForLeaderEpoch, {
  handle: ({ body }, context) => ({
    topics: body.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((query) => {
        const outcome = orRejection(() => {
          const found = context.cluster.topics.get(topic);
          const partition = locatePartition(found, query.partition);
          checkLeaderEpoch(partition, query.currentLeaderEpoch, context);
          checkLeader(partition, context);
          const { log } = partition;
          return log.epochs.endOf(query.leaderEpoch, log.endOffset);
        });
        if (outcome instanceof Rejection) return failed(query, outcome.errorCode);
        const { epoch, endOffset } = outcome;
        return {
          errorCode: Errors.NONE,
          partition: query.partition,
          leaderEpoch: epoch,
          endOffset,
        };
      }),
    })),
  }),
  fail: ({ body }, errorCode) => ({
    topics: body.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((query) => failed(query, errorCode)),
    })),
  }),
});

function failed({ partition }: PartitionQuery, errorCode: number) {
  return { errorCode, partition };
}
