import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtInAssignor } from '../../../../src/core/group/assignors/built-in.js';
import type { BuiltInAssignor } from '../../../../src/core/group/index.js';
import { encodeSubscription } from '../../../../src/core/group/classic/blobs.js';
import { JavaHarness } from '../../../support/java/harness.js';
import { disturbed, lots, names, randomScenario, type Scenario } from './scenarios.js';

let java: JavaHarness;

beforeAll(async () => {
  java = await JavaHarness.start('Assignors', '4.3.1');
});
afterAll(() => java[Symbol.asyncDispose]());

const size = { topics: 5, partitions: 12, members: 9 };
const kinds = [
  { what: 'equal subscriptions', options: { alike: true } },
  { what: 'equal subscriptions and racks', options: { alike: true, racks: true } },
  { what: 'different subscriptions', options: {} },
  { what: 'different subscriptions and racks', options: { racks: true } },
] as const;

describe.each(names)('%s', (name) => {
  test.each(kinds)('answers as Java does, with $what', async ({ options }) => {
    for (let seed = 1; seed <= 150; seed++) {
      const draw = lots(seed);
      let scenario = randomScenario(draw, size, options);
      for (let generation = 1; generation <= 5; generation++) {
        const ours = assign(name, scenario);
        expect({ seed, generation, shares: sorted(ours) }).toEqual({
          seed,
          generation,
          shares: sorted(await javaAssign(name, scenario)),
        });
        const given = new Map(
          [...ours].map(([id, pairs]) => [
            id,
            { partitions: pairs.map(([topic, partition]) => ({ topic, partition })) },
          ]),
        );
        scenario = disturbed(name, scenario, given, draw, generation);
      }
    }
  });
});

test('members that claim the same partitions are judged as in Java', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const draw = lots(seed);
    const { topics, members } = randomScenario(draw, size, { alike: seed % 2 === 0 });
    const all = [...topics].flatMap(([topic, { partitionCount }]) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })),
    );
    const claiming = members.map((member) => ({
      ...member,
      ownedPartitions: all.filter(
        ({ topic }) => member.topics.includes(topic) && draw() < 1.5 / members.length,
      ),
      generationId: 1 + Math.floor(draw() * 3),
    }));
    const scenario = { topics, members: claiming };
    expect({ seed, shares: sorted(assign('cooperative-sticky', scenario)) }).toEqual({
      seed,
      shares: sorted(await javaAssign('cooperative-sticky', scenario)),
    });
  }
});

test.each(['sticky', 'cooperative-sticky'] as const)(
  'a %s member tells the leader what it had in Java’s bytes',
  async (name) => {
    const partitions = [
      { topic: 'b', partition: 3 },
      { topic: 'b', partition: 1 },
    ];
    const assignor = builtInAssignor(name);
    assignor.onAssignment!({ partitions }, 7);
    const pairs = partitions.map(({ topic, partition }) => [topic, partition]);
    const answer = await java.ask(
      'userData',
      name,
      JSON.stringify({ generation: 7, partitions: pairs }),
    );
    expect(assignor.subscriptionUserData!([])!.toString('base64')).toBe(answer);
  },
);

test('a subscription is written in Java’s bytes', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const draw = lots(seed);
    const scenario = randomScenario(draw, size, { racks: true });
    const share = assign('cooperative-sticky', scenario);
    const given = new Map(
      [...share].map(([id, pairs]) => [
        id,
        { partitions: pairs.map(([topic, partition]) => ({ topic, partition })) },
      ]),
    );
    for (const member of disturbed('cooperative-sticky', scenario, given, draw, 3).members) {
      const answer = await java.ask('subscription', JSON.stringify(memberJson(member)));
      expect(encodeSubscription(member).toString('base64')).toBe(answer);
    }
  }
});

type Pairs = [topic: string, partition: number][];

function assign(name: BuiltInAssignor, { topics, members }: Scenario): Map<string, Pairs> {
  return new Map(
    [...builtInAssignor(name).assign(topics, members)].map(([id, { partitions }]) => [
      id,
      partitions.map(({ topic, partition }): [string, number] => [topic, partition]),
    ]),
  );
}

async function javaAssign(
  name: BuiltInAssignor,
  { topics, members }: Scenario,
): Promise<Map<string, Pairs>> {
  const json = JSON.stringify({
    topics: Object.fromEntries([...topics].map(([topic, { racks }]) => [topic, racks])),
    members: members.map(memberJson),
  });
  const answer = JSON.parse(await java.ask('assign', name, json)) as Record<string, Pairs>;
  return new Map(Object.entries(answer));
}

function memberJson(member: Scenario['members'][number]): object {
  return {
    id: member.memberId,
    instance: member.groupInstanceId,
    topics: member.topics,
    userData: member.userData?.toString('base64') ?? null,
    owned: member.ownedPartitions.map(({ topic, partition }) => [topic, partition]),
    generation: member.generationId ?? -1,
    rack: member.rackId ?? null,
  };
}

/** The order within a share means nothing. */
function sorted(shares: ReadonlyMap<string, Pairs>): Record<string, string[]> {
  return Object.fromEntries(
    [...shares]
      .map(([id, pairs]) => [id, pairs.map(([topic, partition]) => `${topic}-${partition}`).sort()])
      .sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
  ) as Record<string, string[]>;
}
