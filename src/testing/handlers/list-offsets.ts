import { apis, type RequestOf, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { TimedOffset } from '../state/segment-times.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { defineHandler, type HandlerContext, type IncomingRequest } from './handler.js';
import { checkLeader, checkLeaderEpoch, locatePartition } from './locate.js';

type Request = IncomingRequest<typeof apis.ListOffsets>;
type PartitionQuery = RequestOf<typeof apis.ListOffsets>['topics'][number]['partitions'][number];
type PartitionAnswer = ResponseInput<
  typeof apis.ListOffsets
>['topics'][number]['partitions'][number];

const READ_COMMITTED = 1;

const LATEST = -1n;
const EARLIEST = -2n;
const MAX_TIMESTAMP = -3n;
const EARLIEST_LOCAL = -4n;
const LATEST_TIERED = -5n;
const EARLIEST_PENDING_UPLOAD = -6n;

/** The first version that has a special position. */
const firstVersions: ReadonlyMap<bigint, number> = new Map([
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);

/** Finds offsets by time or position. */
export const listOffsets = defineHandler(apis.ListOffsets, {
  handle: (request, context) => ({
    topics: request.body.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((query) => {
        const topic = context.cluster.topics.get(name);
        const outcome = orRejection(() => {
          const partition = locatePartition(topic, query.partitionIndex);
          return find(partition, query, request, context);
        });
        return outcome instanceof Rejection ? failed(query, outcome.errorCode) : outcome;
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

function find(
  partition: Partition,
  query: PartitionQuery,
  { version, body }: Request,
  context: HandlerContext,
): PartitionAnswer {
  const { timestamp } = query;
  checkSupport(timestamp, version);
  checkLeaderEpoch(partition, query.currentLeaderEpoch, context);
  checkLeader(partition, context);
  const answer = { partitionIndex: query.partitionIndex, errorCode: Errors.NONE };
  if (version === 0) return { ...answer, oldStyleOffsets: segmentOffsets(partition, query) };
  const end =
    body.isolationLevel === READ_COMMITTED ? partition.lastStableOffset : partition.highWatermark;
  const found = position(partition, timestamp, end);
  if (found === undefined) return answer;
  return version < 4 ? { ...answer, ...found, leaderEpoch: -1 } : { ...answer, ...found };
}

function checkSupport(timestamp: bigint, version: number): void {
  const isKnown = timestamp >= 0n || timestamp === LATEST || timestamp === EARLIEST;
  if (isKnown || version >= (firstVersions.get(timestamp) ?? Infinity)) return;
  throw new Rejection(Errors.UNSUPPORTED_VERSION, `Version ${version} lacks ${timestamp}`);
}

interface Position {
  readonly offset: number;
  readonly timestamp?: bigint;
  readonly leaderEpoch: number;
}

/** Searches what lies below `end`, the first offset that the client may not read yet. */
function position(
  { log, leaderEpoch }: Partition,
  timestamp: bigint,
  end: number,
): Position | undefined {
  const at = (found: TimedOffset | undefined) =>
    found === undefined || found.offset >= end
      ? undefined
      : { ...found, leaderEpoch: log.epochs.at(found.offset) };
  switch (timestamp) {
    case LATEST:
      return { offset: end, leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.startOffset, leaderEpoch: log.epochs.at(log.startOffset) };
    case MAX_TIMESTAMP:
      return at(log.findLatest());
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      // Nothing is tiered.
      return undefined;
    default:
      return at(log.findByTime(timestamp));
  }
}

/** Version 0 knows time only as that of whole segments, the newest first. */
function segmentOffsets(
  { log }: Partition,
  { timestamp, maxNumOffsets }: PartitionQuery,
): number[] {
  const starts = log.segmentStarts.map(({ baseOffset }) => Math.max(baseOffset, log.startOffset));
  const ascending = [...new Set([log.startOffset, ...starts, log.endOffset])];
  switch (timestamp) {
    case LATEST:
      break;
    case EARLIEST:
      ascending.length = 1;
      break;
    default: {
      const isOld = (i: number) => log.segmentStarts[i]!.maxTimestamp <= timestamp;
      ascending.splice(log.segmentStarts.filter((_, i) => isOld(i)).length);
    }
  }
  return ascending.reverse().slice(0, maxNumOffsets);
}

function failed({ partitionIndex }: PartitionQuery, errorCode: number): PartitionAnswer {
  return { partitionIndex, errorCode };
}
