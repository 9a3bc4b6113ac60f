import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';

/** An assignment protocol that a member supports, with what it tells the leader. */
export interface ProtocolOffer {
  readonly name: string;
  readonly metadata: Buffer;
}

/** What a member says of itself when it joins. */
export interface MemberTerms {
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** In the order of preference. */
  readonly protocols: readonly ProtocolOffer[];
}

/** Whose member it is. */
export interface MemberIdentity {
  readonly id: string;
  /** Of a static member (KIP-345). */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** The answer to a JoinGroup. */
export interface JoinOutcome {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  /** For the leader only. */
  readonly members: readonly JoinedMember[];
}

/** A member as the leader gets to know it. */
export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** The answer to a SyncGroup. */
export interface SyncOutcome {
  readonly errorCode: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

export const NO_ASSIGNMENT = Buffer.alloc(0);

/** A member of a classic group. */
export interface ClassicMember extends MemberIdentity {
  terms: MemberTerms;
  assignment: Buffer;
  /** It has not yet been told its id. */
  isNew: boolean;
  /** Its JoinGroup waits for an answer. */
  answerJoin?: ((outcome: JoinOutcome) => void) | undefined;
  /** Its SyncGroup waits for an answer. */
  answerSync?: ((outcome: SyncOutcome) => void) | undefined;
}

/** Who is in a classic group, and what they can agree on. */
export class ClassicRoster {
  /** In the order in which they came. */
  private readonly byId = new Map<string, ClassicMember>();
  private readonly idsByInstance = new Map<string, string>();
  /** Ids that were given out but not yet used to join (KIP-394). */
  readonly pendingIds = new Set<string>();
  protocolType: string | null = null;
  leaderId: string | null = null;

  get size(): number {
    return this.byId.size;
  }

  get members(): ClassicMember[] {
    return [...this.byId.values()];
  }

  get(id: string): ClassicMember | undefined {
    return this.byId.get(id);
  }

  /** The member of that id, which runs that instance if one is named. @throws Rejection */
  identify(memberId: string, instanceId: string | null): ClassicMember {
    if (instanceId !== null) {
      const known = this.idOfInstance(instanceId);
      if (known !== undefined && known !== memberId) {
        throw new Rejection(Errors.FENCED_INSTANCE_ID, `${instanceId} is ${known} now`);
      }
      if (known === undefined) throw unknownMember(memberId);
    }
    const member = this.get(memberId);
    if (member === undefined) throw unknownMember(memberId);
    return member;
  }

  /** The id of the member that a static member's instance runs under. */
  idOfInstance(instanceId: string): string | undefined {
    return this.idsByInstance.get(instanceId);
  }

  add(member: ClassicMember): void {
    if (this.size === 0) this.protocolType = member.terms.protocolType;
    this.leaderId ??= member.id;
    this.byId.set(member.id, member);
    this.pendingIds.delete(member.id);
    if (member.instanceId !== null) this.idsByInstance.set(member.instanceId, member.id);
  }

  remove(id: string): void {
    const member = this.byId.get(id);
    this.byId.delete(id);
    this.pendingIds.delete(id);
    if (member?.instanceId != null) this.idsByInstance.delete(member.instanceId);
    if (this.leaderId === id) this.leaderId = this.members[0]?.id ?? null;
  }

  /** Another process took over a static member's instance: it inherits place and assignment. */
  replace(old: ClassicMember, identity: MemberIdentity): ClassicMember {
    const heir: ClassicMember = {
      ...identity,
      terms: old.terms,
      assignment: old.assignment,
      isNew: false,
    };
    const wasLeader = this.leaderId === old.id;
    this.remove(old.id);
    this.add(heir);
    if (wasLeader) this.leaderId = heir.id;
    return heir;
  }

  get numAwaitingJoin(): number {
    return this.members.filter(({ answerJoin }) => answerJoin !== undefined).length;
  }

  get hasAllJoined(): boolean {
    return this.numAwaitingJoin === this.size && this.pendingIds.size === 0;
  }

  /** The time that the slowest member is allowed for a rebalance. */
  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.members.map(({ terms }) => terms.rebalanceTimeoutMs));
  }

  /** Whether somebody who offers these protocols can agree with all members on one of them. */
  supports(protocolType: string, protocols: readonly ProtocolOffer[]): boolean {
    if (this.size === 0) return protocolType !== '' && protocols.length > 0;
    if (protocolType !== this.protocolType) return false;
    const common = this.commonProtocols;
    return protocols.some(({ name }) => common.has(name));
  }

  /** The protocol that most members prefer among those that all support. */
  selectProtocol(): string {
    const common = this.commonProtocols;
    const votes = new Map<string, number>();
    for (const { terms } of this.members) {
      const favourite = terms.protocols.find(({ name }) => common.has(name))!.name;
      votes.set(favourite, (votes.get(favourite) ?? 0) + 1);
    }
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best))[0];
  }

  /** What the leader is told of everybody. */
  describeFor(protocolName: string | null): JoinedMember[] {
    return this.members.map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      metadata: metadataOf(member, protocolName),
    }));
  }

  /** Sees to a leader who takes part in the rebalance. `false` where nobody does. */
  electAmongJoined(): boolean {
    const leader = this.leaderId === null ? undefined : this.get(this.leaderId);
    if (leader?.answerJoin !== undefined) return true;
    const joined = this.members.find(({ answerJoin }) => answerJoin !== undefined);
    if (joined === undefined) return false;
    this.leaderId = joined.id;
    return true;
  }

  clear(): void {
    this.byId.clear();
    this.idsByInstance.clear();
    this.pendingIds.clear();
    this.leaderId = null;
  }

  private get commonProtocols(): Set<string> {
    const counts = new Map<string, number>();
    for (const { terms } of this.members) {
      for (const { name } of terms.protocols) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return new Set([...counts].filter(([, count]) => count === this.size).map(([name]) => name));
  }
}

/** What a member offered under a protocol's name. */
export function metadataOf({ terms }: ClassicMember, protocolName: string | null): Buffer {
  return terms.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_ASSIGNMENT;
}

/** Whether a member that joins again says the same as before. */
export function hasSameProtocols(
  { terms }: ClassicMember,
  protocols: readonly ProtocolOffer[],
): boolean {
  return (
    terms.protocols.length === protocols.length &&
    terms.protocols.every(
      ({ name, metadata }, i) =>
        name === protocols[i]!.name && metadata.equals(protocols[i]!.metadata),
    )
  );
}

export function unknownMember(memberId: string): Rejection {
  return new Rejection(Errors.UNKNOWN_MEMBER_ID, `The group has no member '${memberId}'`);
}
