import { ConfigError } from '../../core/util/errors.js';
import type { Cluster } from '../state/cluster.js';
import { brokerOf, groupOf, noSuch } from './lookup.js';

/** Has members and coordinators of groups come and go. */
export interface GroupControls {
  /**
   * Has the members of a group meet, or be assigned, anew.
   *
   * @example
   * cluster.rebalance('billing');
   */
  rebalance(groupId: string): void;

  /**
   * Ends a member's session, as if no heartbeat had come for too long.
   *
   * @example
   * const [member] = cluster.inspect().groups.billing!.members;
   * cluster.expireMember('billing', member!.memberId);
   */
  expireMember(groupId: string, memberId: string): void;

  /**
   * Has another broker coordinate a group or a transactional id: the former one answers
   * NOT_COORDINATOR from now on. Others that are hashed alike move along.
   *
   * @param broker One that runs.
   * @example
   * cluster.moveCoordinator('billing', 2);
   */
  moveCoordinator(key: string, broker: number): void;
}

export function groupControls(cluster: Cluster): GroupControls {
  return {
    rebalance: (groupId) => groupOf(cluster, groupId).rebalance(),
    expireMember(groupId, memberId) {
      const group = groupOf(cluster, groupId);
      if (!group.hasMember(memberId)) throw noSuch(`member ${memberId} of group ${groupId}`);
      group.expire(memberId);
    },
    moveCoordinator(key, broker) {
      if (!brokerOf(cluster, broker).isRunning) {
        throw new ConfigError(`Broker ${broker} can't coordinate ${key}: it is stopped`);
      }
      cluster.moveCoordinator(key, broker);
    },
  };
}
