import { describe, expect, it } from 'vitest';
import type { Assignor } from '../../../src/index.js';
import { Seen } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const inGroup = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;

describe('where a partition stands', () => {
  it('is told by position, highWatermark and lag, from when it is known until it is given up', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    fill(sim, TOPIC, 0, 10);
    const consumer = sim.kafka().consumer({ ...inGroup, maxUnackedRecords: 4 });
    const stand = () => [
      consumer.position(where),
      consumer.highWatermark(where),
      consumer.lag(where),
    ];
    expect(stand()).toEqual([undefined, undefined, undefined]);
    const seen = new Seen(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 4);
    expect(stand()).toEqual([4, 10, 6]);
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.values.length === 8);
    expect(stand()).toEqual([8, 10, 2]);
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.values.length === 10);
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => consumer.highWatermark(where) === 15);
    await sim.run(consumer.drain({ timeoutMs: 0 }));
    expect(stand()).toEqual([undefined, undefined, undefined]);
  });
});

it('an assignor of the user’s shares partitions out, and is told what became of it', async () => {
  await using sim = await Simulation.start({ topics: { [TOPIC]: 3 } });
  for (const partition of upTo(3)) fill(sim, TOPIC, partition, 1);
  const told: unknown[] = [];
  /** Everything goes to the member that says so. */
  const toTheFavourite = (userData: string): Assignor => ({
    name: 'favourite',
    supportedProtocols: ['eager'],
    subscriptionUserData: () => Buffer.from(userData),
    assign: (layouts, members) => {
      const favourite = members.find((each) => String(each.userData) === 'favourite');
      const partitions = [...layouts].flatMap(([topic, { partitionCount }]) =>
        upTo(partitionCount).map((partition) => ({ topic, partition })),
      );
      return new Map(
        members.map((each) => [
          each.memberId,
          { partitions: each === (favourite ?? members[0]) ? partitions : [], userData: null },
        ]),
      );
    },
    onAssignment: ({ partitions }) => told.push([userData, partitions.length]),
  });
  const join = (userData: string) => {
    const consumer = sim.kafka().consumer({
      ...inGroup,
      groupProtocol: 'classic',
      partitionAssignmentStrategy: [toTheFavourite(userData)],
    });
    return { consumer, seen: new Seen(consumer.records(TOPIC)) };
  };
  const first = join('other');
  await sim.until(() => first.consumer.assignment.length === 3);
  const second = join('favourite');
  await sim.until(() => second.consumer.assignment.length === 3);
  await sim.until(() => second.seen.values.length === 3);
  expect(first.consumer.assignment).toEqual([]);
  expect(offsetsOf(second.seen.values)).toEqual([0, 0, 0]);
  expect(told).toEqual(
    expect.arrayContaining([
      ['other', 3],
      ['other', 0],
      ['favourite', 3],
    ]),
  );
});
