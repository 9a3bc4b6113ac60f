import { EMPTY, from, NEVER, Subject, takeUntil, type ObservableInput } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ackEach,
  fromPartitions,
  fromTopics,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../../src/index.js';
import { committed, connectionsTo, membersOf, Seen } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { fill, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest' } as const;
/** Far less than a session: who waits for one to end has been left a member by mistake. */
const SOON_MS = 20_000;

const kinds: readonly (readonly [string, ConsumerOptions])[] = [
  ['eager', { groupProtocol: 'classic', partitionAssignmentStrategy: ['range'] }],
  [
    'cooperative',
    { groupProtocol: 'classic', partitionAssignmentStrategy: ['cooperative-sticky'] },
  ],
  ['of the new protocol', { groupProtocol: 'consumer' }],
];

async function start(): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { [TOPIC]: 4 } });
  for (const partition of upTo(4)) fill(sim, TOPIC, partition, 5);
  return sim;
}

function member(sim: Simulation, options: ConsumerOptions) {
  const consumer = sim.kafka().consumer({ ...inGroup, ...options });
  return { consumer, seen: new Seen<ConsumerRecord>(consumer.records(TOPIC).pipe(ackEach())) };
}

/** A member whose `onAssign` unsubscribes before it returns something. */
function leaver(sim: Simulation, options: ConsumerOptions, give: () => ObservableInput<unknown>) {
  const kafka = sim.kafka();
  const enough = new Subject<void>();
  const onAssign = () => {
    enough.next();
    return give() as ObservableInput<never>;
  };
  const source = fromTopics(kafka, TOPIC, { ...inGroup, ...options, onAssign });
  return { kafka, seen: new Seen<ConsumerRecord>(source.pipe(takeUntil(enough), ackEach())) };
}

describe.each(kinds)('unsubscribing within onAssign, in a group that is %s', (_, options) => {
  it.each<[string, () => ObservableInput<unknown>]>([
    ['returns nothing', () => []],
    ['never ends', () => NEVER],
    [
      'has offsets to tell later',
      () => from(Promise.resolve([{ topic: TOPIC, partition: 0, offset: 3 }])),
    ],
    ['fails later', () => Promise.resolve().then(() => Promise.reject(new Error('no store')))],
  ])('one that %s: the member leaves at once, and delivers nothing', async (_title, give) => {
    await using sim = await start();
    const { kafka, seen } = leaver(sim, options, give);
    await sim.until(() => seen.isComplete);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    await sim.run(kafka.close());
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
    await sim.advance(60_000);
    expect(seen.values).toEqual([]);
    expect(seen.error).toBeUndefined();
    expect(committed(sim.cluster, GROUP, TOPIC)).toBeUndefined();
    expect(connectionsTo(sim.cluster)).toBe(0);
  });

  it('leaves no timer behind, so that a process ends', async () => {
    await using sim = await start();
    const before = sim.clock.pending;
    const { kafka, seen } = leaver(sim, options, () => NEVER);
    await sim.until(() => seen.isComplete);
    await sim.run(kafka.close());
    await sim.calm();
    expect(sim.clock.pending).toBe(before);
  });

  it('while another member hands partitions over: that one has them back soon, and reads on', async () => {
    await using sim = await start();
    const first = member(sim, options);
    await sim.until(() => first.seen.values.length === 20);
    const second = leaver(sim, options, () => NEVER);
    await sim.until(() => second.seen.isComplete);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 1);
    await sim.until(() => first.consumer.assignment.length === 4);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(SOON_MS);
    for (const partition of upTo(4)) fill(sim, TOPIC, partition, 1);
    await sim.until(() => first.seen.values.length === 24);
    expect(second.seen.values).toEqual([]);
  });

  it('of the second assignment, while a rebalance gives it back what another had', async () => {
    await using sim = await start();
    const enough = new Subject<void>();
    let isEnough = false;
    const onAssign = () => {
      if (isEnough) enough.next();
      return EMPTY;
    };
    const settings = { ...inGroup, ...options, onAssign };
    const first = new Seen(
      fromTopics(sim.kafka(), TOPIC, settings).pipe(takeUntil(enough), ackEach()),
    );
    await sim.until(() => first.values.length === 20);
    const second = member(sim, options);
    await sim.until(() => second.consumer.assignment.length === 2);
    isEnough = true;
    await sim.run(second.consumer.close());
    await sim.until(() => first.isComplete);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
    for (const partition of upTo(4))
      expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(5);
    expect(first.values).toHaveLength(20);
  });
});

it.each([inGroup, {}])(
  'unsubscribing within onAssign of fixed partitions, as they are subscribed to, leaves nothing behind (%o)',
  async (options) => {
    await using sim = await start();
    const kafka = sim.kafka();
    const enough = new Subject<void>();
    const onAssign = () => {
      enough.next();
      return NEVER;
    };
    const source = fromPartitions(kafka, [{ topic: TOPIC, partition: 0 }], {
      ...options,
      onAssign,
    });
    const seen = new Seen(source.pipe(takeUntil(enough)));
    expect(seen.isComplete).toBe(true);
    await sim.run(kafka.close());
    await sim.calm();
    expect(seen.values).toEqual([]);
    expect(sim.clock.pending).toBe(0);
    expect(connectionsTo(sim.cluster)).toBe(0);
  },
);

describe.each(kinds)('closing during a join, in a group that is %s', (_, options) => {
  const isClassic = options.groupProtocol === 'classic';
  const joinApi = isClassic ? 'JoinGroup' : 'ConsumerGroupHeartbeat';
  const requests = (sim: Simulation, api: string) => sim.cluster.inspect().requests[api] ?? 0;

  /** What a member is closed in the middle of: a request of it is on the way, and unanswered. */
  const moments: readonly (readonly [string, string])[] = [
    ['FindCoordinator', 'FindCoordinator'],
    ['its first request', joinApi],
    ...(isClassic ? [['SyncGroup', 'SyncGroup'] as const] : []),
  ];
  const ways: readonly (readonly [string, (m: ReturnType<typeof member>) => Promise<unknown>])[] = [
    ['close()', ({ consumer }) => consumer.close()],
    ['drain()', ({ consumer }) => consumer.drain()],
    [
      'unsubscribing, then close()',
      ({ consumer, seen }) => {
        seen.subscription.unsubscribe();
        return consumer.close();
      },
    ],
  ];
  const cases = moments.flatMap(([moment, api]) =>
    ways.map(([name, leave]) => [name, moment, api, leave] as const),
  );

  it.each(cases)('%s while %s is unanswered leaves nothing behind', async (way, _m, api, leave) => {
    await using sim = await start();
    const staying = member(sim, options);
    await sim.until(() => staying.seen.values.length === 20);
    const before = requests(sim, api);
    sim.cluster.delay(api as 'JoinGroup', 2000);
    const leaving = member(sim, options);
    await sim.until(() => requests(sim, api) > before);
    await sim.calm();
    const startedAt = sim.clock.monotonic();
    const report = await sim.run(leave(leaving));
    sim.cluster.clearFaults();
    expect(report).toMatchObject({ recordsFinished: 0, recordsAbandoned: 0, offsetsCommitted: [] });
    expect(leaving.seen.isComplete).toBe(!way.startsWith('unsubscribing'));
    expect(leaving.seen.error).toBeUndefined();
    await sim.run(leaving.consumer.close());
    // One more comes in at once only where nobody is waited for who has gone.
    const coming = member(sim, options);
    await sim.until(() => coming.consumer.assignment.length === 2);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(SOON_MS);
    await sim.advance(SOON_MS);
    expect(membersOf(sim.cluster, GROUP)).toBe(2);
    expect(staying.consumer.assignment).toHaveLength(2);
  });

  it('leaves no timer and no connection behind', async () => {
    await using sim = await start();
    sim.cluster.delay(joinApi, 2000);
    const kafka = sim.kafka();
    const seen = new Seen(fromTopics(kafka, TOPIC, { ...inGroup, ...options }).pipe(ackEach()));
    await sim.until(() => requests(sim, joinApi) > 0);
    await sim.calm();
    await sim.run(kafka.drain());
    sim.cluster.clearFaults();
    await sim.advance(60_000);
    expect(seen.isComplete).toBe(true);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
    expect(connectionsTo(sim.cluster)).toBe(0);
    expect(sim.clock.pending).toBe(0);
  });
});
