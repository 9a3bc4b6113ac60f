import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { defineHandler, type HandlerContext } from './handler.js';
import { checkLeader, locatePartition } from './locate.js';

type PartitionQuery = RequestOf<typeof apis.DeleteRecords>['topics'][number]['partitions'][number];

/** Stands for the high watermark. */
const UP_TO_THE_END = -1;

/** Deletes the records before an offset (KIP-107). */
export const deleteRecords = defineHandler(apis.DeleteRecords, {
  handle: ({ body }, context) => ({
    topics: body.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((query) => {
        const outcome = orRejection(() => remove(name, query, context));
        if (outcome instanceof Rejection) return failed(query, outcome.errorCode);
        return { ...failed(query, Errors.NONE), lowWatermark: outcome };
      }),
    })),
  }),
  fail: ({ body }, errorCode) => ({
    topics: body.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((query) => failed(query, errorCode)),
    })),
  }),
});

/** Returns the first offset there is then. */
function remove(name: string, query: PartitionQuery, context: HandlerContext): number {
  const partition = locatePartition(context.cluster.topics.get(name), query.partitionIndex);
  checkLeader(partition, context);
  if (partition.config.isCompactedOnly) {
    throw new Rejection(Errors.POLICY_VIOLATION, 'Records of a compacted topic are not deleted');
  }
  const end = partition.highWatermark;
  const offset = query.offset === UP_TO_THE_END ? end : query.offset;
  if (offset < 0 || offset > end) {
    throw new Rejection(Errors.OFFSET_OUT_OF_RANGE, `There is no offset ${offset}`);
  }
  partition.deleteBefore(offset);
  return partition.log.startOffset;
}

function failed({ partitionIndex }: PartitionQuery, errorCode: number) {
  return { partitionIndex, lowWatermark: -1, errorCode };
}
