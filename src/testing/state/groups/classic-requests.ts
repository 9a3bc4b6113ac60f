import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import {
  NO_ASSIGNMENT,
  type JoinOutcome,
  type MemberTerms,
  type SyncOutcome,
} from './classic-roster.js';

/** A JoinGroup. */
export interface JoinRequest extends MemberTerms {
  /** `''` for one that has none yet. */
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** A dynamic member gets an id first and joins with it then (KIP-394). */
  readonly mustKnowId: boolean;
  /** The leader understands that there is nothing to assign (KIP-814). */
  readonly knowsSkippedAssignment: boolean;
}

/** A SyncGroup. */
export interface SyncRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generationId: number;
  /** `null` where the version does not say. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Of the leader: what each member shall have. */
  readonly assignments: ReadonlyMap<string, Buffer>;
}

/** A JoinGroup that got nowhere. */
export function joinRefusal(errorCode: number, memberId: string): JoinOutcome {
  return {
    errorCode,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  };
}

/** A SyncGroup that got nowhere. */
export function syncRefusal(errorCode: number): SyncOutcome {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_ASSIGNMENT };
}

export function rebalanceInProgress(): Rejection {
  return new Rejection(Errors.REBALANCE_IN_PROGRESS, 'The group is rebalancing');
}

export function termsOf(request: JoinRequest): MemberTerms {
  const { sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = request;
  return { sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols };
}
