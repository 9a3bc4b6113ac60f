import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeAssignment, encodeSubscription } from '../../../src/core/group/classic/blobs.js';
import { reduceClassic } from '../../../src/core/group/classic/reduce.js';
import {
  initialClassicState,
  isBeating,
  type ClassicState,
} from '../../../src/core/group/classic/state.js';
import { reduceConsumer } from '../../../src/core/group/consumer/reduce.js';
import {
  initialConsumerState,
  type ConsumerState,
} from '../../../src/core/group/consumer/state.js';
import { samePartitions, type TopicPartition } from '../../../src/core/group/index.js';
import type { Effect, Input, Layouts } from '../../../src/core/group/machine.js';
import { lots } from './assignors/scenarios.js';
import { unreachable, World, type Outstanding } from './world.js';

const seeds = fc.integer({ min: 1, max: 1_000_000 });
const UNKNOWN_MEMBER_ID = 25;
const ILLEGAL_GENERATION = 22;
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;
const FENCED_MEMBER_EPOCH = 110;

type Draw = () => number;

/** Lets a machine live through anything, then through nothing but success. */
interface Life<S> {
  readonly world: World<S>;
  /** Something that may happen to what the machine waits for. */
  mishap(item: Outstanding, draw: Draw): Input;
  success(item: Outstanding): Input;
  /** From now on every assignment is the same. */
  calm(): void;
  /** Something that may happen at any time. */
  surprise(draw: Draw): Input;
  complaints(): string[];
  isAtRest(): boolean;
}

describe.each(['eager', 'cooperative'] as const)('a classic member, %s', (rebalanceProtocol) => {
  test('keeps its promises whatever happens, and comes to rest when nothing more does', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        live(classicLife(rebalanceProtocol, lots(seed)), lots(seed + 1));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a member of the new protocol', () => {
  test('keeps its promises whatever happens, and comes to rest when nothing more does', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        live(consumerLife(lots(seed)), lots(seed + 1));
      }),
      { numRuns: 300 },
    );
  });
});

function live<S>(life: Life<S>, draw: Draw): void {
  const { world } = life;
  world.dispatch({ type: 'join' });
  const lookAround = () => {
    expect([...world.broken, ...life.complaints()]).toEqual([]);
    expect(world.outstanding.length).toBeGreaterThan(0);
  };
  const pick = () => world.outstanding[Math.floor(draw() * world.outstanding.length)]!;
  for (let i = 0; i < 80; i++) {
    const item = pick();
    if (draw() < 0.15) world.dispatch(life.surprise(draw));
    else if (draw() < 0.4) world.settle(item, life.mishap(item, draw));
    else world.settle(item, life.success(item));
    lookAround();
  }
  life.calm();
  for (let i = 0; i < 400 && !life.isAtRest(); i++) {
    const item = pick();
    world.settle(item, life.success(item));
    lookAround();
  }
  expect(life.isAtRest()).toBe(true);
  world.dispatch({ type: 'leave', keepsMembership: false });
  for (let i = 0; i < 20 && !world.hasLeft; i++) {
    const item = pick();
    world.settle(item, life.success(item));
  }
  expect(world.hasLeft).toBe(true);
  expect(world.broken).toEqual([]);
}

const TOPICS = ['a', 'b'];

function somePartitions(draw: Draw, topics: readonly string[]): TopicPartition[] {
  return topics.flatMap((topic) =>
    [0, 1, 2].filter(() => draw() < 0.5).map((partition) => ({ topic, partition })),
  );
}

function classicLife(rebalanceProtocol: 'eager' | 'cooperative', fate: Draw): Life<ClassicState> {
  const settings = {
    groupId: 'group',
    groupInstanceId: null,
    rebalanceProtocol,
    assignors: ['range'],
    heartbeatIntervalMs: 3000,
    isRackAware: false,
  };
  const world = new World(initialClassicState(settings, TOPICS), reduceClassic);
  let generationId = 0;
  let isCalm = false;
  let layouts: Layouts = new Map();
  const joined = (memberId: string) => {
    const isLeader = fate() < 0.5;
    const metadata = encodeSubscription({
      groupInstanceId: null,
      topics: TOPICS,
      userData: null,
      ownedPartitions: [],
      generationId: undefined,
      rackId: undefined,
    });
    return {
      errorCode: 0,
      generationId: ++generationId,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: isLeader ? memberId : 'other',
      memberId,
      skipAssignment: false,
      members: isLeader ? [{ memberId, groupInstanceId: null, metadata }] : [],
    };
  };
  const answers = (item: Outstanding, errorCode: number): Input => {
    if (item.type !== 'request') return success(item);
    const { request } = item;
    const memberId = 'memberId' in request && request.memberId !== '' ? request.memberId : 'me';
    const partitions = somePartitions(isCalm ? () => 0 : fate, world.state.joinedTopics);
    const bodies = {
      join: errorCode === 0 ? joined(memberId) : { errorCode, memberId },
      sync: {
        errorCode,
        protocolType: null,
        protocolName: null,
        assignment: errorCode === 0 ? encodeAssignment({ partitions }) : Buffer.alloc(0),
      },
      heartbeat: { errorCode },
      leave: { errorCode, members: [] },
      'consumer-heartbeat': {},
    };
    const answer = { type: request.type, request, body: bodies[request.type] };
    return { type: 'answered', answer: answer as never };
  };
  const success = (item: Outstanding): Input => {
    switch (item.type) {
      case 'request':
        return answers(item, 0);
      case 'share-out':
        return {
          type: 'shared-out',
          generationId: item.effect.generationId,
          assignments: [],
          layouts,
        };
      default:
        return common(item);
    }
  };
  return {
    world,
    success,
    calm: () => void (isCalm = true),
    mishap(item, draw) {
      if (item.type !== 'request') return success(item);
      if (draw() < 0.2) return { type: 'unanswered', request: item.request, error: unreachable() };
      const codes = {
        join: [UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, MEMBER_ID_REQUIRED],
        sync: [UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION],
        heartbeat: [UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION],
        leave: [UNKNOWN_MEMBER_ID],
        'consumer-heartbeat': [0],
      }[item.request.type];
      return answers(item, codes[Math.floor(draw() * codes.length)]!);
    },
    surprise(draw) {
      if (draw() < 0.3) return { type: 'check-wanted' };
      if (draw() < 0.5) {
        return { type: 'topics-matched', topics: draw() < 0.5 ? ['a'] : ['a', 'b'] };
      }
      layouts = new Map([['a', { partitionCount: 1 + Math.floor(draw() * 3), racks: [] }]]);
      return { type: 'layouts-seen', layouts };
    },
    complaints() {
      if (!isBeating(world.state) || world.has('heartbeat-timer')) return [];
      return [`no heartbeats while ${world.state.phase}`];
    },
    isAtRest: () =>
      world.state.phase === 'stable' &&
      !world.has('call') &&
      samePartitions([...world.held], world.state.owned),
  };
}

function consumerLife(fate: Draw): Life<ConsumerState> {
  const settings = {
    groupId: 'group',
    groupInstanceId: null,
    rackId: undefined,
    rebalanceTimeoutMs: 300_000,
    serverAssignor: undefined,
    topicRegex: undefined,
  };
  const world = new World(initialConsumerState(settings, TOPICS, 'me'), reduceConsumer);
  let epoch = 0;
  let isCalm = false;
  const heartbeat = (item: Extract<Outstanding, { type: 'request' }>, errorCode: number): Input => {
    const { request } = item;
    if (request.type !== 'consumer-heartbeat') throw new Error(`sent ${request.type}`);
    const isNew = request.memberEpoch === 0 || (!isCalm && fate() < 0.2);
    const topicPartitions = ['id-a', 'id-b'].map((topicId) => ({
      topicId,
      partitions: [0, 1, 2].filter(() => fate() < 0.5),
    }));
    if (isNew) epoch++;
    const body = {
      errorCode,
      errorMessage: null,
      memberId: 'me',
      memberEpoch: request.memberEpoch < 0 ? request.memberEpoch : epoch,
      heartbeatIntervalMs: 5000,
      assignment: isNew
        ? { topicPartitions: topicPartitions.filter(({ partitions }) => partitions.length > 0) }
        : null,
    };
    const answer = { type: 'consumer-heartbeat', request, body } as const;
    return { type: 'answered', answer: answer as never };
  };
  const success = (item: Outstanding): Input => {
    if (item.type === 'request') return heartbeat(item, 0);
    if (item.type !== 'resolve') return common(item);
    const names = new Map(item.ids.map((id) => [id, id.replace('id-', '')]));
    return { type: 'topics-resolved', names };
  };
  const hasAcknowledged = () => {
    const told = world.effects.findLast(
      (effect) =>
        effect.type === 'send' &&
        effect.request.type === 'consumer-heartbeat' &&
        effect.request.fields.topicPartitions !== undefined,
    ) as Extract<Effect, { type: 'send' }> | undefined;
    if (told?.request.type !== 'consumer-heartbeat') return false;
    const partitions = [...told.request.fields.topicPartitions!].flatMap(([id, numbers]) =>
      numbers.map((partition) => ({ topic: id.replace('id-', ''), partition })),
    );
    return samePartitions(partitions, [...world.held]);
  };
  return {
    world,
    success,
    calm: () => void (isCalm = true),
    mishap(item, draw) {
      if (item.type !== 'request') return success(item);
      if (draw() < 0.3) return { type: 'unanswered', request: item.request, error: unreachable() };
      return heartbeat(item, draw() < 0.5 ? UNKNOWN_MEMBER_ID : FENCED_MEMBER_EPOCH);
    },
    surprise(draw) {
      if (draw() < 0.5) return { type: 'check-wanted' };
      return { type: 'topics-matched', topics: draw() < 0.5 ? ['a'] : ['a', 'b'] };
    },
    complaints() {
      const isBeating =
        world.has('heartbeat-timer') || world.has('retry-timer') || world.has('request');
      return isBeating ? [] : [`no heartbeats while ${world.state.phase}`];
    },
    isAtRest: () =>
      world.state.phase === 'stable' &&
      !world.has('call') &&
      !world.has('request') &&
      hasAcknowledged() &&
      samePartitions([...world.held], world.state.owned),
  };
}

function common(item: Outstanding): Input {
  switch (item.type) {
    case 'heartbeat-timer':
      return { type: 'heartbeat-due' };
    case 'retry-timer':
      return { type: 'retry-due' };
    case 'call':
      return { type: 'called-back', call: item.call };
    default:
      throw new Error(`nothing to say to ${item.type}`);
  }
}
