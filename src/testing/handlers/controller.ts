import { Errors } from '../error-codes.js';
import { Rejection } from '../state/rejection.js';
import type { HandlerContext } from './handler.js';

/**
 * Under ZooKeeper only the controller changes topics; under KRaft every broker forwards.
 *
 * @throws Rejection on another broker.
 */
export function checkController({ brokerId, cluster }: HandlerContext): void {
  if (cluster.profile.isKraft || brokerId === cluster.controllerId) return;
  throw new Rejection(Errors.NOT_CONTROLLER, 'This is not the correct controller.');
}
