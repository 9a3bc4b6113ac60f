import { apis, type ResponseInput } from '../../core/protocol/index.js';
import { codecs, type RecordBatch } from '../../core/records/index.js';
import { Errors } from '../error-codes.js';
import { recompress, upConvert } from '../state/convert.js';
import type { Appended } from '../state/log.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { readProduced, validateBatches } from '../state/validate.js';
import {
  defineHandler,
  HANG_UP,
  NO_ANSWER,
  type HandlerContext,
  type IncomingRequest,
} from './handler.js';
import { checkLeader, endpointsOf, leaderHint, locatePartition, locateTopic } from './locate.js';
import { verifyTransaction } from './verify-transaction.js';

type Request = IncomingRequest<typeof apis.Produce>;
type PartitionAnswer = ResponseInput<
  typeof apis.Produce
>['responses'][number]['partitionResponses'][number];

const FIRST_VERSION_WITH_LEADER_HINTS = 10;
const ALL_IN_SYNC = -1;

/** Appends batches. */
export const produce = defineHandler(apis.Produce, {
  handle(request, context) {
    const { body, version } = request;
    const leaders = new Set<number>();
    const responses = body.topicData.map(({ name, topicId, partitionData }) => {
      const topic = locateTopic(context, name, topicId);
      return {
        name,
        topicId,
        partitionResponses: partitionData.map(({ index, records }): PartitionAnswer => {
          const ready = orRejection(() =>
            prepare(locatePartition(topic, index), records, request, context),
          );
          if (ready instanceof Rejection) return refused(index, ready);
          const { partition } = ready;
          const outcome = orRejection(() => append(ready, request, context));
          if (!(outcome instanceof Rejection)) return appended(index, outcome, partition);
          const hint = hintFor(outcome, partition, version);
          if (hint !== undefined) leaders.add(hint.leaderId);
          return { ...refused(index, outcome, partition), ...(hint && { currentLeader: hint }) };
        }),
      };
    });
    if (body.acks === 0) return answerNobody(responses);
    const hints = leaders.size > 0 ? { nodeEndpoints: endpointsOf(leaders, context) } : {};
    return { responses, ...hints };
  },
  fail({ body }, errorCode) {
    const responses = body.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => ({ index, errorCode, baseOffset: -1 })),
    }));
    return body.acks === 0 ? answerNobody(responses) : { responses };
  },
});

/** What is to be appended, and where. */
interface Ready {
  readonly partition: Partition;
  readonly batches: readonly RecordBatch[];
}

/** Checks what can be checked without looking at the log. */
function prepare(
  partition: Partition,
  records: Buffer | null,
  { body, version }: Request,
  { cluster }: HandlerContext,
): Ready {
  const { acks, transactionalId } = body;
  const batches = readProduced(records, version, cluster.profile.maxMagic);
  if (acks !== 0 && acks !== 1 && acks !== ALL_IN_SYNC) {
    throw new Rejection(Errors.INVALID_REQUIRED_ACKS, `acks must be 0, 1 or -1, not ${acks}`);
  }
  if (batches[0]?.isTransactional === true && !transactionalId) {
    const message = 'Transactional records need a transactional id';
    throw new Rejection(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, message);
  }
  return { partition, batches };
}

function append(
  { partition, batches }: Ready,
  { body, version }: Request,
  context: HandlerContext,
): Appended {
  const { clock, profile, settings } = context.cluster;
  checkLeader(partition, context);
  const { transactionalId } = body;
  const [first] = batches;
  if (first?.isTransactional === true && transactionalId !== null) {
    verifyTransaction(partition, first, { transactionalId, version }, context);
  }
  const { config, topic, index } = partition;
  if (body.acks === ALL_IN_SYNC) checkIsr(partition, profile.isKraft);
  const nowMs = clock.now();
  const isDeep = settings.validatesEachRecord;
  validateBatches(batches, { topic, partition: index, config, isDeep, nowMs });
  const converted = upConvert(batches, profile.maxMagic);
  const codec = codecOfTopic(config.compressionType);
  return partition.append(codec === undefined ? converted : recompress(converted, codec), nowMs);
}

function checkIsr({ config, isr, replicas, topic, index }: Partition, isKraft: boolean): void {
  // Newer brokers never ask for more replicas than there are.
  const wanted = isKraft
    ? Math.min(config.minInsyncReplicas, replicas.length)
    : config.minInsyncReplicas;
  if (isr.length >= wanted) return;
  throw new Rejection(
    Errors.NOT_ENOUGH_REPLICAS,
    `The size of the current ISR [${isr.join(', ')}] is insufficient to satisfy the min.isr ` +
      `requirement of ${wanted} for partition ${topic}-${index}`,
  );
}

/** The codec that a topic insists on; `undefined` when it takes what producers send. */
function codecOfTopic(compressionType: string) {
  if (compressionType === 'producer') return undefined;
  const name = compressionType === 'uncompressed' ? 'none' : compressionType;
  return codecs.find((codec) => codec.name === name)!.name;
}

function appended(index: number, outcome: Appended, { log }: Partition): PartitionAnswer {
  const { baseOffset, logAppendTimeMs } = outcome;
  return {
    index,
    errorCode: Errors.NONE,
    baseOffset,
    logAppendTimeMs,
    logStartOffset: log.startOffset,
  };
}

function refused(
  index: number,
  { errorCode, message, recordFaults }: Rejection,
  partition?: Partition,
): PartitionAnswer {
  const isWithoutLog =
    errorCode === Errors.NOT_LEADER_OR_FOLLOWER ||
    errorCode === Errors.MESSAGE_TOO_LARGE ||
    errorCode === Errors.CORRUPT_MESSAGE;
  return {
    index,
    errorCode,
    baseOffset: -1,
    logStartOffset: isWithoutLog ? -1 : (partition?.log.startOffset ?? -1),
    // Only what is wrong with single records is put into words.
    errorMessage: recordFaults.length > 0 ? message : null,
    recordErrors: recordFaults.map((fault) => ({
      batchIndex: fault.index,
      batchIndexErrorMessage: fault.message,
    })),
  };
}

function hintFor({ errorCode }: Rejection, partition: Partition, version: number) {
  const isMoved = errorCode === Errors.NOT_LEADER_OR_FOLLOWER;
  if (!isMoved || version < FIRST_VERSION_WITH_LEADER_HINTS) return undefined;
  return leaderHint(partition);
}

/** With acks 0 an error can only be told by hanging up. */
function answerNobody(
  responses: readonly { readonly partitionResponses: readonly PartitionAnswer[] }[],
) {
  const isFailed = responses.some(({ partitionResponses }) =>
    partitionResponses.some(({ errorCode }) => errorCode !== Errors.NONE),
  );
  return isFailed ? HANG_UP : NO_ANSWER;
}
