import type { ClassicMember, ClassicRoster } from './classic-roster.js';

/** What a coordinator finds again after it moved to another broker. */
export interface StoredGeneration {
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  readonly members: readonly ClassicMember[];
}

export const NO_GENERATION: StoredGeneration = {
  generationId: 0,
  protocolType: null,
  protocolName: null,
  leaderId: null,
  members: [],
};

/** A generation as it is kept: of what members wait for, nothing. */
export function storedGeneration(
  { protocolType, leaderId, members }: ClassicRoster,
  generationId: number,
  protocolName: string | null,
): StoredGeneration {
  return {
    generationId,
    protocolType,
    protocolName,
    leaderId,
    members: members.map((member) => ({
      ...member,
      isNew: false,
      answerJoin: undefined,
      answerSync: undefined,
    })),
  };
}

/** Has a roster say again what was kept. */
export function restore(
  roster: ClassicRoster,
  { members, protocolType, leaderId }: StoredGeneration,
): void {
  roster.clear();
  for (const member of members) roster.add({ ...member });
  roster.protocolType = protocolType;
  roster.leaderId = leaderId;
}
