import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  BuiltInAssignor,
  MemberAssignment,
  MemberSubscription,
  TopicLayout,
} from '../../../../src/core/group/index.js';
import { PartitionSet } from '../../../../src/core/group/index.js';
import { builtInAssignor } from '../../../../src/core/group/assignors/built-in.js';
import {
  afterAssignment,
  disturbed,
  lots,
  names,
  randomScenario,
  type Scenario,
} from './scenarios.js';

const size = { topics: 6, partitions: 15, members: 12 };
const seeds = fc.integer({ min: 1, max: 1_000_000 });

describe.each(names)('%s', (name) => {
  test('gives each partition to one member that subscribes to its topic', () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), fc.boolean(), (seed, alike, withRacks) => {
        const draw = lots(seed);
        // As in Java, whose answers these are: where subscriptions differ and racks matter, a
        // cooperative group may move partitions to and fro for ever.
        const racks = withRacks && (alike || name !== 'cooperative-sticky');
        let scenario = randomScenario(draw, size, { alike, racks });
        for (let generation = 1; generation <= 4; generation++) {
          const given = settle(name, scenario, 10 * generation);
          expect(complaints(scenario, given)).toEqual([]);
          scenario = disturbed(name, scenario, given, draw, 10 * generation);
        }
      }),
    );
  });
});

describe.each(['sticky', 'cooperative-sticky'] as const)('%s', (name) => {
  test('shares out evenly where all subscribe to the same', () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, racks) => {
        const draw = lots(seed);
        let scenario = randomScenario(draw, size, { alike: true, racks });
        for (let generation = 1; generation <= 4; generation++) {
          const given = settle(name, scenario, 10 * generation);
          const counts = [...given.values()].map(({ partitions }) => partitions.length);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          scenario = disturbed(name, scenario, given, draw, 10 * generation);
        }
      }),
    );
  });

  test('leaves no partition that could move to a member with at least two less', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const scenario = randomScenario(lots(seed), size);
        expect(improvements(scenario, settle(name, scenario, 1))).toEqual([]);
      }),
    );
  });

  test('moves nothing when nothing has changed', () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, alike) => {
        const scenario = randomScenario(lots(seed), size, { alike });
        const given = settle(name, scenario, 1);
        const members = scenario.members.map((member) =>
          afterAssignment(name, member, given.get(member.memberId)!.partitions, 1),
        );
        expect(moves(given, settle(name, { ...scenario, members }, 2))).toBe(0);
      }),
    );
  });

  test('moves no more than a newcomer’s share when one joins', () => {
    const scenario = {
      topics: new Map([['orders', layout(100)]]),
      members: ['a', 'b', 'c', 'd'].map(memberOf('orders')),
    };
    const given = settle(name, scenario, 1);
    const members = scenario.members.map((member) =>
      afterAssignment(name, member, given.get(member.memberId)!.partitions, 1),
    );
    const grown = { ...scenario, members: [...members, memberOf('orders')('e')] };
    const settled = settle(name, grown, 2);
    expect(settled.get('e')!.partitions).toHaveLength(20);
    expect(moves(given, settled)).toBe(20);
  });
});

test('cooperative-sticky never gives a partition to one member that another still holds', () => {
  fc.assert(
    fc.property(seeds, fc.boolean(), fc.boolean(), (seed, alike, racks) => {
      const draw = lots(seed);
      const first = randomScenario(draw, size, { alike, racks });
      const given = settle('cooperative-sticky', first, 1);
      const next = disturbed('cooperative-sticky', first, given, draw, 1);
      const assigned = assign('cooperative-sticky', next);
      const newest = Math.max(...next.members.map(({ generationId = -1 }) => generationId));
      for (const holder of next.members.filter((member) => member.generationId === newest)) {
        const held = new PartitionSet(holder.ownedPartitions);
        for (const [memberId, { partitions }] of assigned) {
          if (memberId === holder.memberId) continue;
          expect(partitions.filter((partition) => held.has(partition))).toEqual([]);
        }
      }
    }),
  );
});

test('range deals topics with as many partitions alike', () => {
  const assigned = assign('range', {
    topics: new Map([
      ['clicks', layout(7)],
      ['orders', layout(7)],
    ]),
    members: ['c', 'a', 'b'].map((id) => ({
      ...memberOf('clicks')(id),
      topics: ['clicks', 'orders'],
    })),
  });
  const numbers = (id: string, wanted: string) =>
    assigned
      .get(id)!
      .partitions.flatMap(({ topic, partition }) => (topic === wanted ? [partition] : []));
  expect(['a', 'b', 'c'].map((id) => numbers(id, 'clicks'))).toEqual([
    [0, 1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect(['a', 'b', 'c'].map((id) => numbers(id, 'orders'))).toEqual([
    [0, 1, 2],
    [3, 4],
    [5, 6],
  ]);
});

test('range gives partitions to members in the rack of a replica', () => {
  const racks = [['b'], ['a'], ['b'], ['a']];
  const assigned = assign('range', {
    topics: new Map([['orders', { partitionCount: 4, racks }]]),
    members: ['a', 'b'].map((rackId) => ({ ...memberOf('orders')(`in-${rackId}`), rackId })),
  });
  expect(assigned.get('in-a')!.partitions.map(({ partition }) => partition)).toEqual([1, 3]);
  expect(assigned.get('in-b')!.partitions.map(({ partition }) => partition)).toEqual([0, 2]);
});

test('static members keep their ranges whatever ids they come back with', () => {
  const group = (ids: readonly string[]): Scenario => ({
    topics: new Map([['orders', layout(6)]]),
    members: ids.map((id, i) => ({ ...memberOf('orders')(id), groupInstanceId: `instance-${i}` })),
  });
  const before = assign('range', group(['x', 'y', 'z']));
  const after = assign('range', group(['r', 'q', 'p']));
  expect([...after.values()]).toEqual([...before.values()]);
});

test('topics that don’t exist are left out', () => {
  for (const name of names) {
    const members = [{ ...memberOf('orders')('a'), topics: ['orders', 'missing'] }];
    const assigned = assign(name, { topics: new Map([['orders', layout(2)]]), members });
    expect(assigned.get('a')!.partitions).toHaveLength(2);
  }
});

describe('20,000 partitions over 500 members', () => {
  const topics = new Map(Array.from({ length: 200 }, (_, i) => [`topic-${i}`, layout(100)]));
  const all = [...topics.keys()];
  const ids = Array.from({ length: 500 }, (_, i) => `member-${i}`);
  const alike = ids.map((id) => ({ ...memberOf('')(id), topics: all }));
  const draw = lots(7);
  const different = ids.map((id) => ({
    ...memberOf('')(id),
    topics: all.filter(() => draw() < 0.3),
  }));
  const cases = names.flatMap((name) => [
    { name, what: 'equal subscriptions', members: alike },
    { name, what: 'different subscriptions', members: different },
  ]);

  test.each(cases)('take $name a moment, with $what', ({ name, what, members }) => {
    const scenario = { topics, members };
    const first = timed(() => assign(name, scenario));
    // The hard case: a tenth of the members leave, the others remember what they had.
    const later = members
      .slice(50)
      .map((member) =>
        afterAssignment(name, member, first.result.get(member.memberId)!.partitions, 1),
      );
    const second = timed(() => assign(name, { topics, members: later }));
    const third = timed(() =>
      assign(name, { topics, members: [...later, ...members.slice(0, 50)] }),
    );
    const times = [first, second, third].map(({ ms }) => ms.toFixed(0)).join(', ');
    console.log(`${name}, ${what}: ${times} ms`);
    expect(first.ms + second.ms + third.ms).toBeLessThan(10_000);
    expect(complaints(scenario, first.result)).toEqual([]);
  });
});

function timed<T>(run: () => T): { result: T; ms: number } {
  const start = performance.now();
  const result = run();
  return { result, ms: performance.now() - start };
}

type Assigned = ReadonlyMap<string, MemberAssignment>;

function assign(name: BuiltInAssignor, { topics, members }: Scenario): Assigned {
  return builtInAssignor(name).assign(topics, members);
}

/** What a group comes to: cooperative ones rebalance until nothing has to be given up any more. */
function settle(name: BuiltInAssignor, scenario: Scenario, generation: number): Assigned {
  let assigned = assign(name, scenario);
  for (let round = 0; round < 5 && isWithholding(scenario, assigned); round++) {
    const members = scenario.members.map((member) =>
      afterAssignment(name, member, assigned.get(member.memberId)!.partitions, generation + round),
    );
    assigned = assign(name, { ...scenario, members });
  }
  return assigned;
}

function isWithholding(scenario: Scenario, assigned: Assigned): boolean {
  return complaints(scenario, assigned).some((complaint) => complaint.endsWith('to nobody'));
}

function complaints({ topics, members }: Scenario, assigned: Assigned): string[] {
  const found: string[] = [];
  const seen = new PartitionSet();
  const wanted = new Set<string>();
  for (const { memberId, topics: names } of members) {
    for (const topic of names) wanted.add(topic);
    for (const partition of assigned.get(memberId)?.partitions ?? []) {
      const label = `${partition.topic}-${partition.partition}`;
      if (seen.has(partition)) found.push(`${label} twice`);
      if (!names.includes(partition.topic)) found.push(`${label} to ${memberId}, uninvited`);
      seen.add(partition);
    }
  }
  for (const [topic, { partitionCount }] of topics) {
    for (let partition = 0; partition < partitionCount; partition++) {
      const isMissing = wanted.has(topic) && !seen.has({ topic, partition });
      if (isMissing) found.push(`${topic}-${partition} to nobody`);
    }
  }
  return found;
}

function improvements({ members }: Scenario, assigned: Assigned): string[] {
  return [...assigned].flatMap(([holder, { partitions }]) =>
    partitions.flatMap(({ topic }) =>
      members
        .filter(
          ({ memberId, topics }) =>
            topics.includes(topic) &&
            assigned.get(memberId)!.partitions.length + 1 < partitions.length,
        )
        .map(({ memberId }) => `${topic} from ${holder} to ${memberId}`),
    ),
  );
}

function moves(before: Assigned, after: Assigned): number {
  let count = 0;
  for (const [memberId, { partitions }] of after) {
    const had = new PartitionSet(before.get(memberId)?.partitions ?? []);
    count += partitions.filter((partition) => !had.has(partition)).length;
  }
  return count;
}

function layout(partitionCount: number): TopicLayout {
  return { partitionCount, racks: Array.from({ length: partitionCount }, () => []) };
}

function memberOf(topic: string): (memberId: string) => MemberSubscription {
  return (memberId) => ({
    memberId,
    groupInstanceId: null,
    topics: [topic],
    userData: null,
    ownedPartitions: [],
    generationId: undefined,
    rackId: undefined,
  });
}
