import { apis, ZERO_UUID } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { defineHandler, type IncomingRequest, type ResponseBody } from './handler.js';
import { checkLeader, locatePartition, locateTopic } from './locate.js';

type Request = IncomingRequest<typeof apis.DescribeProducers>;

const NONE = -1;

/** Who produced to partitions, and whose transaction is open there (KIP-664). */
export const describeProducers = defineHandler(apis.DescribeProducers, {
  handle: (request, context) =>
    respond(request, (name, index) => {
      const found = orRejection(() => {
        const partition = locatePartition(locateTopic(context, name, ZERO_UUID), index);
        checkLeader(partition, context);
        return partition;
      });
      return found instanceof Rejection ? failed(found.errorCode) : described(found);
    }),
  fail: (request, errorCode) => respond(request, () => failed(errorCode)),
});

function described({ log }: Partition) {
  return {
    errorCode: Errors.NONE,
    activeProducers: log.producers.snapshot.map((producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.epoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: log.producers.openTransactionStart(producer.producerId) ?? NONE,
    })),
  };
}

function failed(errorCode: number) {
  return { errorCode, activeProducers: [] };
}

function respond(
  { body }: Request,
  describe: (topic: string, index: number) => ReturnType<typeof described>,
): ResponseBody<typeof apis.DescribeProducers> {
  const topics = body.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      ...describe(name, partitionIndex),
    })),
  }));
  return { topics };
}
