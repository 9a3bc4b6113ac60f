import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { HandlerContext } from './handler.js';

/** Where clients are: all on this machine. */
export const CLIENT_HOST = '/127.0.0.1';

/** Each operation that exists for groups, as a broker without an authorizer grants it. */
export const ALL_GROUP_OPERATIONS = 0b1101_0100_1000;

/** @throws Rejection unless this broker coordinates the group. */
export function checkGroup(groupId: string, { cluster, brokerId }: HandlerContext): void {
  if (groupId === '') throw new Rejection(Errors.INVALID_GROUP_ID, 'The group id is empty');
  cluster.groups.checkCoordinator(groupId, brokerId);
}

/** Runs what has no result; the code of its rejection, or that of success. */
export function errorCodeFrom(attempt: () => void): number {
  const outcome = orRejection(attempt);
  return outcome instanceof Rejection ? outcome.errorCode : Errors.NONE;
}
