import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import { keyOf, type ConsumerMember } from './consumer-member.js';
import { each } from './partitions.js';

/** Who is in a group of the consumer protocol. */
export class ConsumerRoster {
  readonly byId = new Map<string, ConsumerMember>();

  constructor(private readonly groupId: string) {}

  /** @throws Rejection when there is none of that id. */
  member(memberId: string): ConsumerMember {
    const member = this.byId.get(memberId);
    if (member !== undefined) return member;
    const message = `Member ${memberId} is not a member of group ${this.groupId}.`;
    throw new Rejection(Errors.UNKNOWN_MEMBER_ID, message);
  }

  /** The member of that id, which runs that instance if one is named. @throws Rejection */
  identify(memberId: string, instanceId: string | null): ConsumerMember {
    return instanceId === null ? this.member(memberId) : this.owner(instanceId, memberId);
  }

  /** The static member that runs an instance. */
  ofInstance(instanceId: string): ConsumerMember | undefined {
    return [...this.byId.values()].find((member) => member.instanceId === instanceId);
  }

  /** As {@link ConsumerRoster.ofInstance}. @throws Rejection when another member does. */
  owner(instanceId: string, memberId: string): ConsumerMember {
    const member = this.ofInstance(instanceId);
    if (member === undefined) {
      throw new Rejection(Errors.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);
    }
    if (member.id === memberId) return member;
    throw new Rejection(
      Errors.FENCED_INSTANCE_ID,
      `Static member ${memberId} with instance id ${instanceId} was fenced by member ${member.id}.`,
    );
  }

  /** What members have, or have not yet given back. */
  heldPartitions(): Set<string> {
    const held = new Set<string>();
    for (const { assigned, revoking } of this.byId.values()) {
      for (const [topicId, index] of each(assigned)) held.add(keyOf(topicId, index));
      for (const [topicId, index] of each(revoking)) held.add(keyOf(topicId, index));
    }
    return held;
  }
}
