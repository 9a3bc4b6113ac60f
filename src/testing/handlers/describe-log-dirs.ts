import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { defineHandler, type IncomingRequest } from './handler.js';

type Request = IncomingRequest<typeof apis.DescribeLogDirs>;

/** How large the partitions are that a broker holds (KIP-113). */
export const describeLogDirs = defineHandler(apis.DescribeLogDirs, {
  handle: (request, { brokerId, cluster }) => ({
    errorCode: Errors.NONE,
    results: [
      {
        errorCode: Errors.NONE,
        logDir: '/memory',
        topics: topicsOn(brokerId, request, cluster),
      },
    ],
  }),
  fail: ({ version }, errorCode) => ({
    errorCode,
    results: version >= 3 ? [] : [{ errorCode, logDir: '', topics: [] }],
  }),
});

function topicsOn(brokerId: number, { body }: Request, cluster: Cluster) {
  const wanted = body.topics?.map(({ topic }) => topic);
  return [...cluster.topics.values()]
    .filter(({ name }) => wanted?.includes(name) ?? true)
    .map(({ name, partitions }) => ({
      name,
      partitions: partitions
        .filter(({ replicas }) => replicas.includes(brokerId))
        .map(({ index, log }) => ({
          partitionIndex: index,
          partitionSize: log.sizeBytes,
          offsetLag: 0,
          isFutureKey: false,
        })),
    }))
    .filter(({ partitions }) => partitions.length > 0);
}
