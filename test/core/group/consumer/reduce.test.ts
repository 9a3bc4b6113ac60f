import { describe, expect, test } from 'vitest';
import { reduceConsumer } from '../../../../src/core/group/consumer/reduce.js';
import {
  initialConsumerState,
  type ConsumerSettings,
  type ConsumerState,
} from '../../../../src/core/group/consumer/state.js';
import type { TopicPartition } from '../../../../src/core/group/index.js';
import type { ConsumerHeartbeatRequest, Effect } from '../../../../src/core/group/machine.js';
import {
  AuthorizationError,
  ConfigError,
  FencedError,
  KafkaError,
} from '../../../../src/core/util/errors.js';
import { World } from '../world.js';

const codes = {
  UNKNOWN_SERVER_ERROR: -1,
  UNKNOWN_MEMBER_ID: 25,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  UNSUPPORTED_VERSION: 35,
  INVALID_REQUEST: 42,
  GROUP_ID_NOT_FOUND: 69,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  FENCED_MEMBER_EPOCH: 110,
  UNRELEASED_INSTANCE_ID: 111,
  UNSUPPORTED_ASSIGNOR: 112,
  INVALID_REGULAR_EXPRESSION: 128,
} as const;

const p = (label: string): TopicPartition[] =>
  label.split(' ').map((each) => {
    const [topic, partition] = each.split('-');
    return { topic: topic!, partition: Number(partition) };
  });

function member(settings: Partial<ConsumerSettings> = {}): World<ConsumerState> {
  const all: ConsumerSettings = {
    groupId: 'group',
    groupInstanceId: null,
    rackId: 'rack',
    rebalanceTimeoutMs: 300_000,
    serverAssignor: 'range',
    topicRegex: undefined,
    ...settings,
  };
  return new World(initialConsumerState(all, ['a', 'b'], 'me'), reduceConsumer);
}

/** @param assigned by topic, as in `{ a: [0, 1] }`. */
function accept(epoch: number, assigned?: Record<string, number[]>) {
  return {
    errorMessage: null,
    memberId: 'me',
    memberEpoch: epoch,
    heartbeatIntervalMs: 5000,
    assignment:
      assigned === undefined
        ? null
        : {
            topicPartitions: Object.entries(assigned).map(([topic, partitions]) => ({
              topicId: `id-${topic}`,
              partitions,
            })),
          },
  };
}

const names = new Map([
  ['id-a', 'a'],
  ['id-b', 'b'],
]);

function joined(
  assigned: Record<string, number[]>,
  settings: Partial<ConsumerSettings> = {},
): World<ConsumerState> {
  const world = member(settings);
  world.dispatch({ type: 'join' });
  world.answer('consumer-heartbeat', accept(1, assigned));
  world.settle(world.one('resolve'), { type: 'topics-resolved', names });
  world.calledBack();
  world.answer('consumer-heartbeat', accept(1));
  expect(world.state.phase).toBe('stable');
  return world;
}

const types = (effects: readonly Effect[]) =>
  effects.map((effect) => {
    if (effect.type === 'send') return 'send';
    return effect.type === 'emit' ? `emit ${effect.event.type}` : effect.type;
  });

const lastSent = (world: World<ConsumerState>) =>
  world.effects
    .flatMap((effect) => (effect.type === 'send' ? [effect.request] : []))
    .at(-1) as ConsumerHeartbeatRequest;

const fieldsSent = (world: World<ConsumerState>) =>
  Object.entries(lastSent(world).fields)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);

describe('joining', () => {
  test('a member says everything, and asks for epoch 0', () => {
    const world = member();
    expect(types(world.dispatch({ type: 'join' }))).toEqual(['send']);
    expect(lastSent(world)).toEqual({
      type: 'consumer-heartbeat',
      memberId: 'me',
      memberEpoch: 0,
      fields: {
        rackId: 'rack',
        rebalanceTimeoutMs: 300_000,
        subscribedTopicNames: ['a', 'b'],
        subscribedTopicRegex: undefined,
        serverAssignor: 'range',
        topicPartitions: new Map(),
      },
    });
  });

  test('a pattern goes to the broker, without names', () => {
    const world = member({ topicRegex: 'a.*' });
    world.dispatch({ type: 'join' });
    expect(lastSent(world).fields).toMatchObject({
      subscribedTopicNames: [],
      subscribedTopicRegex: 'a.*',
    });
  });

  test('it takes up what it is given when it knows the names, and says so at once', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    const effects = world.answer('consumer-heartbeat', accept(3, { a: [0, 1] }));
    expect(types(effects)).toEqual(['schedule-heartbeat', 'resolve-topics']);
    const resolved = world.settle(world.one('resolve'), { type: 'topics-resolved', names });
    expect(types(resolved)).toEqual(['resolve-topics', 'emit joined', 'assign']);
    expect(resolved.at(-1)).toMatchObject({ added: p('a-0 a-1') });
    expect(types(world.calledBack())).toContain('send');
    expect(lastSent(world)).toMatchObject({ memberEpoch: 3 });
    expect(fieldsSent(world)).toEqual(['topicPartitions']);
    expect(lastSent(world).fields.topicPartitions).toEqual(new Map([['id-a', [0, 1]]]));
  });

  test('it is told when there is nothing for it', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    const effects = world.answer('consumer-heartbeat', accept(3, {}));
    expect(effects.at(-1)).toMatchObject({ type: 'assign', added: [], all: [] });
  });

  test('topics whose names are slow to come hold up no others', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', accept(2, { a: [0, 1], new: [0] }));
    expect(effects.at(-1)).toMatchObject({ type: 'assign', added: p('a-1') });
    world.calledBack();
    expect(world.one('resolve').ids).toEqual(['id-new']);
    const found = { type: 'topics-resolved', names: new Map([['id-new', 'new']]) } as const;
    expect(world.settle(world.one('resolve'), found).at(-1)).toMatchObject({ added: p('new-0') });
  });

  test('names that are known already need no looking up', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', accept(2, { a: [0, 1] }));
    expect(types(effects)).toEqual([
      'schedule-heartbeat',
      'emit rebalancing',
      'resolve-topics',
      'emit joined',
      'assign',
    ]);
    expect(world.has('resolve')).toBe(false);
  });
});

describe('heartbeats', () => {
  test('say nothing but who and when, when nothing has changed', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    expect(lastSent(world)).toMatchObject({ memberId: 'me', memberEpoch: 1 });
    expect(fieldsSent(world)).toEqual([]);
  });

  test('come as often as the coordinator wants', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', {
      ...accept(1),
      heartbeatIntervalMs: 1234,
    });
    expect(effects[0]).toEqual({ type: 'schedule-heartbeat', delayMs: 1234 });
  });

  test('say everything again after one that may not have arrived, but not the rack', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    expect(types(world.unanswered('consumer-heartbeat'))).toEqual([
      'emit group-retried',
      'schedule-retry',
    ]);
    world.due('retry');
    expect(fieldsSent(world)).toEqual([
      'rebalanceTimeoutMs',
      'subscribedTopicNames',
      'serverAssignor',
      'topicPartitions',
    ]);
  });

  test('tell of other topics at once', () => {
    const world = joined({ a: [0] });
    expect(types(world.dispatch({ type: 'topics-matched', topics: ['b'] }))).toEqual(['send']);
    expect(fieldsSent(world)).toEqual(['subscribedTopicNames']);
    world.answer('consumer-heartbeat', accept(1));
    expect(world.dispatch({ type: 'topics-matched', topics: ['b'] })).toEqual([]);
  });

  test('wait for the one under way, and follow it when there is something to say', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    expect(world.dispatch({ type: 'topics-matched', topics: ['b'] })).toEqual([]);
    expect(types(world.answer('consumer-heartbeat', accept(1)))).toContain('send');
    expect(fieldsSent(world)).toEqual(['subscribedTopicNames']);
  });
});

describe('reconciling', () => {
  test('what goes is drained before what comes is taken up and the coordinator is told', () => {
    const world = joined({ a: [0, 1] });
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', accept(2, { a: [1], b: [0] }));
    expect(effects.at(-1)).toMatchObject({ type: 'revoke', partitions: p('a-0') });
    // Heartbeats go on meanwhile, and still name the old epoch's partitions: none.
    world.due('heartbeat');
    expect(fieldsSent(world)).toEqual([]);
    world.answer('consumer-heartbeat', accept(2));
    expect(world.calledBack()).toMatchObject([
      { type: 'assign', added: p('b-0'), all: p('a-1 b-0') },
    ]);
    expect(types(world.calledBack())).toContain('send');
    expect(lastSent(world).fields.topicPartitions).toEqual(
      new Map([
        ['id-a', [1]],
        ['id-b', [0]],
      ]),
    );
  });

  test('what the coordinator changes meanwhile comes next', () => {
    const world = joined({ a: [0, 1] });
    world.due('heartbeat');
    world.answer('consumer-heartbeat', accept(2, { a: [1] }));
    world.due('heartbeat');
    world.answer('consumer-heartbeat', accept(3, { a: [1], b: [5] }));
    world.calledBack();
    const effects = world.calledBack();
    expect(types(effects)).toEqual(['send', 'resolve-topics', 'emit joined', 'assign']);
    expect(effects.at(-1)).toMatchObject({ added: p('b-5') });
  });

  test('the same assignment once more is nothing new', () => {
    const world = joined({ a: [0, 1] });
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', accept(1, { a: [1, 0] }));
    expect(types(effects)).toEqual(['schedule-heartbeat', 'resolve-topics']);
    expect(world.state.phase).toBe('stable');
  });
});

describe('errors', () => {
  test.each(['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH'] as const)(
    '%s: everything is lost, and the member joins anew under its id',
    (error) => {
      const world = joined({ a: [0] });
      world.due('heartbeat');
      const effects = world.answer('consumer-heartbeat', { errorCode: codes[error] });
      expect(types(effects)).toEqual(['lose', 'emit rebalancing', 'send']);
      expect(lastSent(world)).toMatchObject({ memberId: 'me', memberEpoch: 0 });
      expect(fieldsSent(world)).toContain('rackId');
      expect(lastSent(world).fields.topicPartitions).toEqual(new Map());
    },
  );

  test('a member that is fenced again before it is back slows down', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    world.answer('consumer-heartbeat', { errorCode: codes.UNKNOWN_MEMBER_ID });
    const effects = world.answer('consumer-heartbeat', { errorCode: codes.UNKNOWN_MEMBER_ID });
    expect(types(effects)).toEqual(['lose', 'emit rebalancing', 'schedule-retry']);
  });

  test('a member that is fenced while it drains lets go at once', () => {
    const world = joined({ a: [0, 1] });
    world.due('heartbeat');
    world.answer('consumer-heartbeat', accept(2, { a: [1] }));
    const { call } = world.one('call');
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', { errorCode: codes.FENCED_MEMBER_EPOCH });
    expect(effects[0]).toMatchObject({ type: 'lose', partitions: p('a-0 a-1') });
    expect(world.dispatch({ type: 'called-back', call })).toEqual([]);
  });

  test.each([
    ['UNRELEASED_INSTANCE_ID', FencedError],
    ['FENCED_INSTANCE_ID', FencedError],
    ['UNSUPPORTED_ASSIGNOR', ConfigError],
    ['INVALID_REGULAR_EXPRESSION', ConfigError],
    ['GROUP_AUTHORIZATION_FAILED', AuthorizationError],
    ['TOPIC_AUTHORIZATION_FAILED', AuthorizationError],
    ['GROUP_MAX_SIZE_REACHED', KafkaError],
    ['GROUP_ID_NOT_FOUND', KafkaError],
    ['INVALID_REQUEST', KafkaError],
    ['UNSUPPORTED_VERSION', KafkaError],
    ['UNKNOWN_SERVER_ERROR', KafkaError],
  ] as const)('%s ends the membership', (error, kind) => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    const effects = world.answer('consumer-heartbeat', {
      errorCode: codes[error],
      errorMessage: 'because',
    });
    expect(types(effects)).toEqual(['lose', 'stop-timers', 'fail']);
    expect(world.fatal).toBeInstanceOf(kind);
    expect(world.fatal!.code).toBe(error);
    expect(world.fatal!.message).toContain('("because")');
  });
});

describe('leaving', () => {
  test.each([
    { who: 'a member', groupInstanceId: null, keepsMembership: false, epoch: -1 },
    {
      who: 'a static member that will be back',
      groupInstanceId: 'i',
      keepsMembership: true,
      epoch: -2,
    },
    { who: 'a static member for good', groupInstanceId: 'i', keepsMembership: false, epoch: -1 },
  ])('$who says so with epoch $epoch', ({ groupInstanceId, keepsMembership, epoch }) => {
    const world = joined({ a: [0] }, { groupInstanceId });
    const effects = world.dispatch({ type: 'leave', keepsMembership });
    expect(types(effects)).toEqual(['stop-timers', 'send']);
    expect(lastSent(world)).toMatchObject({ memberId: 'me', memberEpoch: epoch, fields: {} });
    expect(types(world.answer('consumer-heartbeat', accept(epoch)))).toEqual(['left']);
  });

  test('a member that is to be missed first leaves without a word', () => {
    const effects = joined({ a: [0] }).dispatch({ type: 'leave', keepsMembership: true });
    expect(types(effects)).toEqual(['stop-timers', 'left']);
  });

  test('a member whose id the broker chooses waits for it', () => {
    const settings = { ...member().state.settings };
    const world = new World(initialConsumerState(settings, ['a'], ''), reduceConsumer);
    world.dispatch({ type: 'join' });
    expect(types(world.dispatch({ type: 'leave', keepsMembership: false }))).toEqual([
      'stop-timers',
    ]);
    world.answer('consumer-heartbeat', { ...accept(1), memberId: 'chosen' });
    expect(lastSent(world)).toMatchObject({ memberId: 'chosen', memberEpoch: -1 });
  });

  test('the answer to a heartbeat that was still under way means nothing', () => {
    const world = joined({ a: [0] });
    world.due('heartbeat');
    const item = world.one('request');
    world.dispatch({ type: 'leave', keepsMembership: false });
    const answer = {
      type: 'consumer-heartbeat',
      request: item.request,
      body: { errorCode: codes.UNKNOWN_MEMBER_ID },
    };
    expect(world.settle(item, { type: 'answered', answer: answer as never })).toEqual([]);
  });
});
