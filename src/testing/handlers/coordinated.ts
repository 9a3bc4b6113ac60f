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

/** @throws Rejection while the consumer protocol is switched off (`group.version` 0). */
export function checkConsumerProtocol({ cluster }: HandlerContext): void {
  const feature = cluster.settings.features.find(({ name }) => name === 'group.version');
  if (feature !== undefined && feature.finalized > 0) return;
  const message = 'The consumer protocol is not enabled in the cluster.';
  throw new Rejection(Errors.UNSUPPORTED_VERSION, message);
}

/** Runs what has no result; the code of its rejection, or that of success. */
export function errorCodeFrom(attempt: () => void): number {
  const outcome = orRejection(attempt);
  return outcome instanceof Rejection ? outcome.errorCode : Errors.NONE;
}
