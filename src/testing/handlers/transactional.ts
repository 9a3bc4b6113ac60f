import { Errors } from '../error-codes.js';
import { Rejection } from '../state/rejection.js';
import type { HandlerContext } from './handler.js';

/** The code of a refusal, or the one that clients knew before there was PRODUCER_FENCED (KIP-588). */
export function transactionErrorOf(
  { errorCode }: Rejection,
  version: number,
  firstVersionWithFenced: number,
): number {
  const isNews = errorCode === Errors.PRODUCER_FENCED && version < firstVersionWithFenced;
  return isNews ? Errors.INVALID_PRODUCER_EPOCH : errorCode;
}

/** @throws Rejection unless this broker coordinates the transactional id. */
export function checkTransactionalId(
  transactionalId: string,
  { cluster, brokerId }: HandlerContext,
): void {
  if (transactionalId === '') {
    throw new Rejection(Errors.INVALID_REQUEST, 'The transactional id is empty');
  }
  cluster.transactions.checkCoordinator(transactionalId, brokerId);
}

/**
 * What a partition, or a group, says when the coordinator refuses what was sent to it. Each knows
 * older clients who need to be told otherwise (KIP-890).
 */
export function refusalOfWrite(cause: Rejection, client: WritingClient): Rejection {
  const { errorCode, message } = cause;
  if (errorCode === Errors.PRODUCER_FENCED) {
    return new Rejection(Errors.INVALID_PRODUCER_EPOCH, message);
  }
  const isNews = errorCode === Errors.TRANSACTION_ABORTABLE && client === 'old';
  return isNews ? new Rejection(Errors.INVALID_TXN_STATE, message) : cause;
}

/** By what it knows: neither TRANSACTION_ABORTABLE, that, or to leave the adding to the broker. */
export type WritingClient = 'old' | 'aborting' | 'adding';
