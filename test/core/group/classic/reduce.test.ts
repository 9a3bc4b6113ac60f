import { describe, expect, test } from 'vitest';
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from '../../../../src/core/group/classic/blobs.js';
import { reduceClassic } from '../../../../src/core/group/classic/reduce.js';
import {
  initialClassicState,
  type ClassicSettings,
  type ClassicState,
} from '../../../../src/core/group/classic/state.js';
import type { TopicPartition } from '../../../../src/core/group/index.js';
import type { Effect } from '../../../../src/core/group/machine.js';
import { AuthorizationError, FencedError, KafkaError } from '../../../../src/core/util/errors.js';
import { World } from '../world.js';

const codes = {
  UNKNOWN_SERVER_ERROR: -1,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  GROUP_AUTHORIZATION_FAILED: 30,
  UNSUPPORTED_VERSION: 35,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
} as const;

const p = (label: string): TopicPartition[] =>
  label === ''
    ? []
    : label.split(' ').map((each) => {
        const [topic, partition] = each.split('-');
        return { topic: topic!, partition: Number(partition) };
      });

function member(settings: Partial<ClassicSettings> = {}, topics = ['a', 'b']): World<ClassicState> {
  const all: ClassicSettings = {
    groupId: 'group',
    groupInstanceId: null,
    rebalanceProtocol: 'eager',
    assignors: ['range', 'sticky'],
    heartbeatIntervalMs: 3000,
    isRackAware: false,
    ...settings,
  };
  return new World(initialClassicState(all, topics), reduceClassic);
}

const followerOf = (generationId: number, memberId = 'me') => ({
  generationId,
  memberId,
  leader: 'other',
  protocolType: 'consumer',
  protocolName: 'range',
  skipAssignment: false,
  members: [],
});

const leaderOf = (generationId: number) => ({
  ...followerOf(generationId),
  leader: 'me',
  members: ['me', 'other'].map((memberId) => ({
    memberId,
    groupInstanceId: null,
    metadata: encodeSubscription({
      groupInstanceId: null,
      topics: ['a'],
      userData: null,
      ownedPartitions: [],
      generationId: undefined,
      rackId: undefined,
    }),
  })),
});

const given = (label: string) => ({
  protocolType: 'consumer',
  protocolName: 'range',
  assignment: encodeAssignment({ partitions: p(label) }),
});

/** A member that has been in the group for a while. */
function settled(label: string, settings: Partial<ClassicSettings> = {}): World<ClassicState> {
  const world = member(settings);
  world.dispatch({ type: 'join' });
  world.answer('join', followerOf(1));
  world.answer('sync', given(label));
  world.calledBack();
  expect(world.state.phase).toBe('stable');
  return world;
}

const types = (effects: readonly Effect[]) =>
  effects.map((effect) => {
    if (effect.type === 'send') return `send ${effect.request.type}`;
    return effect.type === 'emit' ? `emit ${effect.event.type}` : effect.type;
  });

const sent = (world: World<ClassicState>, type: 'join' | 'sync' | 'leave') =>
  world.effects
    .flatMap((effect) => (effect.type === 'send' ? [effect.request] : []))
    .findLast((request) => request.type === type)!;

describe('joining', () => {
  test('a follower joins, syncs, and tells what it was given', () => {
    const world = member();
    expect(types(world.dispatch({ type: 'join' }))).toEqual(['send join']);
    expect(sent(world, 'join')).toMatchObject({
      memberId: '',
      generationId: -1,
      topics: ['a', 'b'],
    });
    expect(types(world.answer('join', followerOf(4)))).toEqual(['schedule-heartbeat', 'send sync']);
    expect(sent(world, 'sync')).toMatchObject({ memberId: 'me', generationId: 4, assignments: [] });
    const effects = world.answer('sync', given('a-0 b-1'));
    expect(types(effects)).toEqual(['note-assignment', 'emit joined', 'assign']);
    expect(effects[2]).toMatchObject({ added: p('a-0 b-1'), all: p('a-0 b-1') });
    expect(world.state.phase).toBe('completing');
    world.calledBack();
    expect(world.state.phase).toBe('stable');
  });

  test('a leader shares out before it syncs', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    expect(types(world.answer('join', leaderOf(4)))).toEqual(['schedule-heartbeat', 'share-out']);
    const { effect } = world.one('share-out');
    expect(effect).toMatchObject({ assignor: 'range', generationId: 4, isSkipped: false });
    expect(effect.members.map(({ memberId }) => memberId)).toEqual(['me', 'other']);
    const assignments = [{ memberId: 'other', assignment: Buffer.from('x') }];
    world.settle(world.one('share-out'), {
      type: 'shared-out',
      generationId: 4,
      assignments,
      layouts: new Map(),
    });
    expect(sent(world, 'sync')).toMatchObject({ assignments });
  });

  test('a leader that came back leaves everything as it is (KIP-814)', () => {
    const world = member({ groupInstanceId: 'i' });
    world.dispatch({ type: 'join' });
    world.answer('join', { ...leaderOf(4), skipAssignment: true });
    expect(world.one('share-out').effect.isSkipped).toBe(true);
  });

  test('a member joins again with the id that it was given (KIP-394)', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    const effects = world.answer('join', {
      errorCode: codes.MEMBER_ID_REQUIRED,
      memberId: 'given',
    });
    expect(types(effects)).toEqual(['send join']);
    expect(sent(world, 'join')).toMatchObject({ memberId: 'given' });
  });

  test('no share at all is an empty one', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    world.answer('join', followerOf(1));
    const effects = world.answer('sync', { ...given(''), assignment: Buffer.alloc(0) });
    expect(effects.at(-1)).toMatchObject({ type: 'assign', added: [], all: [] });
    expect(decodeAssignment(Buffer.alloc(0)).partitions).toEqual([]);
  });

  test('an old coordinator that names no protocol in its answers is believed', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    world.answer('join', { ...followerOf(1), protocolType: null });
    world.answer('sync', { ...given('a-0'), protocolType: null, protocolName: null });
    expect(world.fatal).toBeUndefined();
  });

  test('a share of topics that the member doesn’t subscribe to is not taken', () => {
    const world = member({}, ['a']);
    world.dispatch({ type: 'join' });
    world.answer('join', followerOf(1));
    expect(types(world.answer('sync', given('b-0')))).toEqual(['schedule-retry']);
    expect(types(world.due('retry'))).toEqual(['send join']);
  });

  test.each([
    { what: 'a group of another type', body: { ...followerOf(1), protocolType: 'connect' } },
    { what: 'an assignor it did not offer', body: { ...followerOf(1), protocolName: 'mine' } },
  ])('$what is no place for it', ({ body }) => {
    const world = member();
    world.dispatch({ type: 'join' });
    world.answer('join', body);
    expect(world.fatal!.code).toBe('INCONSISTENT_GROUP_PROTOCOL');
  });

  test('what another member wrote and nobody can read ends the membership', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    const [first] = leaderOf(1).members;
    world.answer('join', {
      ...leaderOf(1),
      members: [{ ...first!, metadata: Buffer.from('00037fffffff', 'hex') }],
    });
    expect(world.fatal!.code).toBe('PROTOCOL_VIOLATION');
  });
});

/** What becomes of a member that has partitions when something is answered with an error. */
describe('errors', () => {
  const lives = {
    'JoinGroup, the first': () => {
      const world = member();
      world.dispatch({ type: 'join' });
      return { world, type: 'join' as const };
    },
    'JoinGroup, a later one': () => {
      const world = settled('a-0', { rebalanceProtocol: 'cooperative' });
      world.due('heartbeat');
      world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
      return { world, type: 'join' as const };
    },
    SyncGroup: () => {
      const world = settled('a-0', { rebalanceProtocol: 'cooperative' });
      world.due('heartbeat');
      world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
      world.answer('join', followerOf(2));
      return { world, type: 'sync' as const };
    },
    Heartbeat: () => {
      const world = settled('a-0');
      world.due('heartbeat');
      return { world, type: 'heartbeat' as const };
    },
  };
  const again = ['lose', 'emit rebalancing', 'send join'];
  const over = ['lose', 'stop-timers', 'fail'];

  test.each([
    ['JoinGroup, the first', 'UNKNOWN_MEMBER_ID', ['lose', 'schedule-retry']],
    ['JoinGroup, the first', 'REBALANCE_IN_PROGRESS', ['schedule-retry']],
    ['JoinGroup, the first', 'GROUP_MAX_SIZE_REACHED', over],
    ['JoinGroup, the first', 'INVALID_SESSION_TIMEOUT', over],
    ['JoinGroup, the first', 'INVALID_GROUP_ID', over],
    ['JoinGroup, the first', 'INCONSISTENT_GROUP_PROTOCOL', over],
    ['JoinGroup, the first', 'GROUP_AUTHORIZATION_FAILED', over],
    ['JoinGroup, the first', 'FENCED_INSTANCE_ID', over],
    ['JoinGroup, the first', 'UNSUPPORTED_VERSION', over],
    ['JoinGroup, the first', 'UNKNOWN_SERVER_ERROR', over],
    ['JoinGroup, a later one', 'UNKNOWN_MEMBER_ID', ['lose', 'schedule-retry']],
    ['SyncGroup', 'REBALANCE_IN_PROGRESS', ['emit rebalancing', 'send join']],
    ['SyncGroup', 'UNKNOWN_MEMBER_ID', again],
    ['SyncGroup', 'ILLEGAL_GENERATION', again],
    ['SyncGroup', 'FENCED_INSTANCE_ID', over],
    ['SyncGroup', 'GROUP_AUTHORIZATION_FAILED', over],
    ['SyncGroup', 'UNKNOWN_SERVER_ERROR', over],
    ['Heartbeat', 'REBALANCE_IN_PROGRESS', ['emit rebalancing', 'revoke']],
    ['Heartbeat', 'UNKNOWN_MEMBER_ID', again],
    ['Heartbeat', 'ILLEGAL_GENERATION', again],
    ['Heartbeat', 'FENCED_INSTANCE_ID', over],
    ['Heartbeat', 'GROUP_AUTHORIZATION_FAILED', over],
    ['Heartbeat', 'UNKNOWN_SERVER_ERROR', over],
  ] as const)('%s answered with %s', (when, error, expected) => {
    const { world, type } = lives[when]();
    const effects = world.answer(type, { errorCode: codes[error] });
    expect(types(effects)).toEqual(expected);
    expect(world.broken).toEqual([]);
  });

  test.each([
    ['GROUP_AUTHORIZATION_FAILED', AuthorizationError],
    ['FENCED_INSTANCE_ID', FencedError],
    ['UNKNOWN_SERVER_ERROR', KafkaError],
  ] as const)('%s comes as an error of its kind', (error, kind) => {
    const { world } = lives.Heartbeat();
    world.answer('heartbeat', { errorCode: codes[error] });
    expect(world.fatal).toBeInstanceOf(kind);
    expect(world.fatal!.code).toBe(error);
  });

  test('UNKNOWN_MEMBER_ID takes the id, ILLEGAL_GENERATION leaves it', () => {
    const unknown = lives.Heartbeat().world;
    unknown.answer('heartbeat', { errorCode: codes.UNKNOWN_MEMBER_ID });
    expect(sent(unknown, 'join')).toMatchObject({ memberId: '', generationId: -1 });
    const illegal = lives.Heartbeat().world;
    illegal.answer('heartbeat', { errorCode: codes.ILLEGAL_GENERATION });
    expect(sent(illegal, 'join')).toMatchObject({ memberId: 'me', generationId: -1 });
  });

  test('a member that is fenced again and again slows down', () => {
    const { world } = lives.Heartbeat();
    world.answer('heartbeat', { errorCode: codes.UNKNOWN_MEMBER_ID });
    world.answer('join', followerOf(2));
    world.answer('sync', { errorCode: codes.UNKNOWN_MEMBER_ID });
    expect(world.has('retry-timer')).toBe(true);
    expect(world.state.phase).toBe('backing-off');
  });

  test('what did not arrive is sent again: a join after a pause, a sync as a new join', () => {
    for (const when of ['JoinGroup, a later one', 'SyncGroup'] as const) {
      const { world, type } = lives[when]();
      expect(types(world.unanswered(type))).toEqual(['emit group-retried', 'schedule-retry']);
      expect(types(world.due('retry'))).toEqual(['send join']);
      expect(sent(world, 'join')).toMatchObject({ ownedPartitions: p('a-0') });
    }
  });

  test('a heartbeat that did not arrive is followed by the next', () => {
    const { world } = lives.Heartbeat();
    expect(types(world.unanswered('heartbeat'))).toEqual(['emit group-retried']);
    expect(types(world.due('heartbeat'))).toEqual(['send heartbeat', 'schedule-heartbeat']);
  });

  test('what trying again can’t cure ends the membership', () => {
    const { world } = lives.Heartbeat();
    const error = new KafkaError('no', { code: 'SASL_AUTHENTICATION_FAILED' });
    expect(types(world.unanswered('heartbeat', error))).toEqual(over);
    expect(world.fatal).toBe(error);
  });

  test('the answer to a heartbeat of an earlier generation means nothing', () => {
    const { world } = lives.Heartbeat();
    const item = world.one('request');
    world.dispatch({ type: 'layouts-seen', layouts: new Map() });
    const request = { ...item.request, generationId: 0 } as never;
    const answer = { type: 'heartbeat', request, body: { errorCode: codes.UNKNOWN_MEMBER_ID } };
    expect(types(world.settle(item, { type: 'answered', answer: answer as never }))).toEqual([]);
    expect(world.state.phase).toBe('stable');
  });
});

describe('rebalancing, eager', () => {
  test('a member gives up everything, then joins', () => {
    const world = settled('a-0 b-0');
    world.due('heartbeat');
    const effects = world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
    expect(effects.at(-1)).toMatchObject({ type: 'revoke', partitions: p('a-0 b-0') });
    expect(types(world.calledBack())).toEqual(['send join']);
    expect(sent(world, 'join')).toMatchObject({ ownedPartitions: [], generationId: 1 });
  });

  test('heartbeats go on while it drains', () => {
    const world = settled('a-0');
    world.due('heartbeat');
    world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
    expect(types(world.due('heartbeat'))).toEqual(['send heartbeat', 'schedule-heartbeat']);
    world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
    expect(world.state.phase).toBe('revoking');
  });

  test('a member that is fenced while it drains loses at once, and joins without waiting', () => {
    const world = settled('a-0');
    world.due('heartbeat');
    world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
    const { call } = world.one('call');
    world.due('heartbeat');
    const effects = world.answer('heartbeat', { errorCode: codes.UNKNOWN_MEMBER_ID });
    expect(types(effects)).toEqual(['lose', 'emit rebalancing', 'send join']);
    // The drain ends later, and is of no consequence.
    expect(world.dispatch({ type: 'called-back', call })).toEqual([]);
  });
});

describe('rebalancing, cooperative', () => {
  const rebalanced = () => {
    const world = settled('a-0 a-1', { rebalanceProtocol: 'cooperative' });
    world.due('heartbeat');
    world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
    return world;
  };

  test('a member keeps what it has while it joins', () => {
    const world = rebalanced();
    expect(sent(world, 'join')).toMatchObject({ ownedPartitions: p('a-0 a-1'), generationId: 1 });
    expect(world.held.size).toBe(2);
  });

  test('it then gives up what it did not get, takes up the rest, and joins once more', () => {
    const world = rebalanced();
    world.answer('join', followerOf(2));
    const effects = world.answer('sync', given('a-0 b-0'));
    expect(effects.at(-1)).toMatchObject({ type: 'revoke', partitions: p('a-1') });
    expect(world.calledBack()).toMatchObject([
      { type: 'assign', added: p('b-0'), all: p('a-0 b-0') },
    ]);
    expect(types(world.calledBack())).toEqual(['emit rebalancing', 'send join']);
    expect(sent(world, 'join')).toMatchObject({ ownedPartitions: p('a-0 b-0') });
  });

  test('it gives up first what it does not subscribe to any more', () => {
    const world = settled('a-0 b-0', { rebalanceProtocol: 'cooperative' });
    const effects = world.dispatch({ type: 'topics-matched', topics: ['b'] });
    expect(effects.at(-1)).toMatchObject({ type: 'revoke', partitions: p('a-0') });
    world.calledBack();
    expect(sent(world, 'join')).toMatchObject({ topics: ['b'], ownedPartitions: p('b-0') });
  });

  test('a rebalance that begins while it takes up partitions follows', () => {
    const world = rebalanced();
    world.answer('join', followerOf(2));
    world.answer('sync', given('a-0 a-1 b-0'));
    world.due('heartbeat');
    world.answer('heartbeat', { errorCode: codes.REBALANCE_IN_PROGRESS });
    expect(world.state.phase).toBe('completing');
    expect(types(world.calledBack())).toEqual(['emit rebalancing', 'send join']);
  });
});

describe('a leader', () => {
  const layout = (partitionCount: number, racks: string[][] = []) => ({ partitionCount, racks });
  const leading = (settings: Partial<ClassicSettings> = {}) => {
    const world = member(settings);
    world.dispatch({ type: 'join' });
    world.answer('join', leaderOf(1));
    const layouts = new Map([['a', layout(2, [['x'], ['x']])]]);
    const input = { type: 'shared-out', generationId: 1, assignments: [], layouts } as const;
    world.settle(world.one('share-out'), input);
    world.answer('sync', given('a-0'));
    world.calledBack();
    return world;
  };

  test.each([
    ['more partitions', new Map([['a', layout(3, [['x'], ['x'], ['x']])]]), true],
    [
      'another topic',
      new Map([
        ['a', layout(2, [['x'], ['x']])],
        ['b', layout(1, [[]])],
      ]),
      true,
    ],
    ['a topic less', new Map<string, ReturnType<typeof layout>>(), true],
    ['the same', new Map([['a', layout(2, [['x'], ['x']])]]), false],
    ['other racks, which it does not look at', new Map([['a', layout(2, [['y'], ['x']])]]), false],
  ])('that sees %s has the group rebalance or not', (_, layouts, rebalances) => {
    const effects = leading().dispatch({ type: 'layouts-seen', layouts });
    expect(types(effects)).toEqual(rebalances ? ['emit rebalancing', 'revoke'] : []);
  });

  test('with a rack of its own looks at racks', () => {
    const layouts = new Map([['a', layout(2, [['y'], ['x']])]]);
    const effects = leading({ isRackAware: true }).dispatch({ type: 'layouts-seen', layouts });
    expect(types(effects)).toEqual(['emit rebalancing', 'revoke']);
  });

  test('whose assignor failed is over', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    world.answer('join', leaderOf(1));
    const error = new KafkaError('no', { code: 'ASSIGNOR_FAILED' });
    world.settle(world.one('share-out'), { type: 'not-shared-out', generationId: 1, error });
    expect(world.fatal).toBe(error);
  });
});

describe('leaving', () => {
  test('a member says so, and is done when that is heard', () => {
    const world = settled('a-0');
    expect(types(world.dispatch({ type: 'leave', keepsMembership: false }))).toEqual([
      'stop-timers',
      'send leave',
    ]);
    expect(types(world.answer('leave', {}))).toEqual(['left']);
  });

  test('a member that can’t say so leaves all the same', () => {
    const world = settled('a-0');
    world.dispatch({ type: 'leave', keepsMembership: false });
    expect(types(world.unanswered('leave'))).toEqual(['left']);
  });

  test('one that keeps its membership goes without a word', () => {
    const world = settled('a-0', { groupInstanceId: 'i' });
    const effects = world.dispatch({ type: 'leave', keepsMembership: true });
    expect(types(effects)).toEqual(['stop-timers', 'left']);
  });

  test('one that has no id yet waits for it, so that the group need not wait for nobody', () => {
    const world = member();
    world.dispatch({ type: 'join' });
    expect(types(world.dispatch({ type: 'leave', keepsMembership: false }))).toEqual([
      'stop-timers',
    ]);
    expect(types(world.answer('join', followerOf(1, 'late')))).toEqual(['send leave']);
    expect(sent(world, 'leave')).toMatchObject({ memberId: 'late' });
    expect(types(world.answer('leave', {}))).toEqual(['left']);
  });

  test('one that never joined has nothing to say', () => {
    const effects = member().dispatch({ type: 'leave', keepsMembership: false });
    expect(types(effects)).toEqual(['stop-timers', 'left']);
  });

  test('nothing happens any more afterwards', () => {
    const world = settled('a-0');
    world.dispatch({ type: 'leave', keepsMembership: false });
    world.answer('leave', {});
    expect(world.dispatch({ type: 'heartbeat-due' })).toEqual([]);
    expect(world.dispatch({ type: 'join' })).toEqual([]);
  });
});

test('asked whether all is well, a member sends a heartbeat, and only one', () => {
  const world = settled('a-0');
  expect(types(world.dispatch({ type: 'check-wanted' }))).toEqual(['send heartbeat']);
  expect(types(world.dispatch({ type: 'check-wanted' }))).toEqual([]);
});
