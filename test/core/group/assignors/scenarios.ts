import { builtInAssignor } from '../../../../src/core/group/assignors/built-in.js';
import type {
  BuiltInAssignor,
  MemberSubscription,
  TopicLayout,
} from '../../../../src/core/group/assignors/assignor.js';
import type { TopicPartition } from '../../../../src/core/group/index.js';

/** A group that is to be shared out. */
export interface Scenario {
  readonly topics: Map<string, TopicLayout>;
  readonly members: MemberSubscription[];
}

export interface ScenarioSize {
  readonly topics: number;
  readonly partitions: number;
  readonly members: number;
}

export const names: readonly BuiltInAssignor[] = [
  'range',
  'roundrobin',
  'sticky',
  'cooperative-sticky',
];

/** @param draw gives numbers from 0 to below 1. */
export function randomScenario(
  draw: () => number,
  size: ScenarioSize,
  options: { readonly alike?: boolean; readonly racks?: boolean } = {},
): Scenario {
  const upTo = (limit: number) => Math.floor(draw() * limit);
  const racks = options.racks === true ? ['a', 'b', 'c'].slice(0, 1 + upTo(3)) : [];
  const sameCount = 1 + upTo(size.partitions);
  const topics = new Map<string, TopicLayout>();
  for (let i = 0; i < 1 + upTo(size.topics); i++) {
    const partitionCount = draw() < 0.5 ? sameCount : 1 + upTo(size.partitions);
    const layout = Array.from({ length: partitionCount }, () => racks.filter(() => draw() < 0.6));
    topics.set(`topic-${i}`, { partitionCount, racks: layout });
  }
  const all = [...topics.keys()];
  const members = Array.from({ length: 1 + upTo(size.members) }, (_, i): MemberSubscription => {
    const wanted = options.alike === true ? all : all.filter(() => draw() < 0.6);
    return {
      memberId: `member-${i}-${Math.floor(draw() * 1e9).toString(36)}`,
      groupInstanceId: draw() < 0.2 ? `static-${upTo(1e6)}` : null,
      topics: wanted.length === 0 ? [all[upTo(all.length)]!] : wanted,
      userData: null,
      ownedPartitions: [],
      generationId: undefined,
      rackId: racks.length > 0 && draw() < 0.8 ? [...racks, 'elsewhere'][upTo(4)] : undefined,
    };
  });
  return { topics, members };
}

/** What members say after they were given something: as their own assignors remember it. */
export function afterAssignment(
  name: BuiltInAssignor,
  member: MemberSubscription,
  partitions: readonly TopicPartition[],
  generationId: number,
): MemberSubscription {
  const assignor = builtInAssignor(name);
  assignor.onAssignment?.({ partitions }, generationId);
  return {
    ...member,
    userData: assignor.subscriptionUserData?.(member.topics) ?? null,
    ownedPartitions: name === 'cooperative-sticky' ? partitions : [],
    generationId,
  };
}

/** The same group later: members came and went, topics grew, some members missed a generation. */
export function disturbed(
  name: BuiltInAssignor,
  { topics, members }: Scenario,
  assignment: ReadonlyMap<string, { readonly partitions: readonly TopicPartition[] }>,
  draw: () => number,
  generationId: number,
): Scenario {
  const grown = new Map(
    [...topics].map(([topic, layout]) => {
      if (draw() < 0.7) return [topic, layout];
      const more = 1 + Math.floor(draw() * 3);
      const racks = [...layout.racks, ...Array.from({ length: more }, () => layout.racks[0] ?? [])];
      return [topic, { partitionCount: layout.partitionCount + more, racks }];
    }),
  );
  const stayed = members
    .filter(() => draw() < 0.8)
    .map((member) => {
      const generation = draw() < 0.9 ? generationId : generationId - 1;
      const { partitions } = assignment.get(member.memberId)!;
      return afterAssignment(name, member, partitions, generation);
    });
  const came = Array.from({ length: Math.floor(draw() * 4) }, (_, i): MemberSubscription => ({
    ...members[0]!,
    memberId: `newcomer-${i}-${Math.floor(draw() * 1e9).toString(36)}`,
    groupInstanceId: null,
  }));
  const next = [...stayed, ...came];
  return { topics: grown, members: next.length === 0 ? members : next };
}

/** A stream of numbers from a seed (LCG of Numerical Recipes). */
export function lots(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}
