import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Claim, Place } from '../state/transactions/transaction.js';
import { errorCodeFrom } from './coordinated.js';
import { defineHandler, type HandlerContext, type IncomingRequest } from './handler.js';
import { checkTransactionalId } from './transactional.js';

type Request = IncomingRequest<typeof apis.AddPartitionsToTxn>;
type Topics = RequestOf<typeof apis.AddPartitionsToTxn>['v3AndBelowTopics'];
type Batch = RequestOf<typeof apis.AddPartitionsToTxn>['transactions'][number];

const FIRST_VERSION_WITH_FENCED = 2;
const FIRST_VERSION_OF_BATCHES = 4;

/** Adds partitions to transactions: those of clients, one at a time, and those of brokers. */
export const addPartitionsToTxn = defineHandler(apis.AddPartitionsToTxn, {
  handle: (request, context) => answer(request, (batch) => add(batch, request, context)),
  fail: (request, errorCode) => ({
    ...(request.version >= FIRST_VERSION_OF_BATCHES && { errorCode }),
    ...answer(request, () => () => errorCode),
  }),
});

/** The code of each partition. */
type Verdict = (place: Place) => number;

function add(batch: Batch, { version }: Request, context: HandlerContext): Verdict {
  const { transactions, topics } = context.cluster;
  const { transactionalId, verifyOnly, producerId, producerEpoch: epoch } = batch;
  const claim: Claim = { producerId, epoch };
  const isKnown = ({ topic, index }: Place) => topics.get(topic)?.partitions[index] !== undefined;
  const places = placesOf(batch.topics);
  if (!places.every(isKnown)) {
    // All or none.
    return (place) =>
      isKnown(place) ? Errors.OPERATION_NOT_ATTEMPTED : Errors.UNKNOWN_TOPIC_OR_PARTITION;
  }
  const attempt = (act: () => void) =>
    errorCodeFrom(() => {
      checkTransactionalId(transactionalId, context);
      act();
    });
  if (verifyOnly) {
    return (place) => attempt(() => transactions.check(transactionalId, claim, place));
  }
  const risesAtEnd = version >= FIRST_VERSION_OF_BATCHES;
  const addition = { partitions: places, groups: [], risesAtEnd };
  const errorCode = attempt(() => transactions.add(transactionalId, claim, addition));
  return () => errorCode;
}

function placesOf(topics: Topics): Place[] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map((index) => ({ topic: name, index })),
  );
}

function answer({ body, version }: Request, judge: (batch: Batch) => Verdict) {
  const results = (batch: Batch, translate: (code: number) => number) => {
    const verdict = judge(batch);
    return batch.topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: translate(verdict({ topic: name, index: partitionIndex })),
      })),
    }));
  };
  if (version >= FIRST_VERSION_OF_BATCHES) {
    const resultsByTransaction = body.transactions.map((batch) => ({
      transactionalId: batch.transactionalId,
      topicResults: results(batch, (code) => code),
    }));
    return { resultsByTransaction };
  }
  return {
    resultsByTopicV3AndBelow: results(soleBatch(body), (code) =>
      code === Errors.PRODUCER_FENCED && version < FIRST_VERSION_WITH_FENCED
        ? Errors.INVALID_PRODUCER_EPOCH
        : code,
    ),
  };
}

function soleBatch(body: Request['body']): Batch {
  return {
    transactionalId: body.v3AndBelowTransactionalId,
    producerId: body.v3AndBelowProducerId,
    producerEpoch: body.v3AndBelowProducerEpoch,
    verifyOnly: false,
    topics: body.v3AndBelowTopics,
  };
}
