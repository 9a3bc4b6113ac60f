import { describe, expect, test } from 'vitest';
import { builtInAssignor } from '../../../src/core/group/assignors/built-in.js';
import { decodeAssignment } from '../../../src/core/group/classic/blobs.js';
import type { Assignor, MemberSubscription } from '../../../src/core/group/index.js';
import { commonProtocol, shareOut } from '../../../src/core/group/share-out.js';
import { ConfigError } from '../../../src/core/util/errors.js';

const layouts = new Map([['a', { partitionCount: 2, racks: [[], []] }]]);

const memberOf = (memberId: string, owned: number[] = []): MemberSubscription => ({
  memberId,
  groupInstanceId: null,
  topics: ['a'],
  userData: null,
  ownedPartitions: owned.map((partition) => ({ topic: 'a', partition })),
  generationId: 1,
  rackId: undefined,
});

const assignorOf = (shares: Record<string, number[]>): Assignor => ({
  name: 'mine',
  supportedProtocols: ['cooperative', 'eager'],
  assign: () =>
    new Map(
      Object.entries(shares).map(([memberId, numbers]) => [
        memberId,
        { partitions: numbers.map((partition) => ({ topic: 'a', partition })) },
      ]),
    ),
});

test('what an assignor of the user’s says is handed out, with its data', () => {
  const assignor: Assignor = {
    name: 'mine',
    supportedProtocols: ['eager'],
    assign: () =>
      new Map([['x', { partitions: [{ topic: 'a', partition: 1 }], userData: Buffer.from('d') }]]),
  };
  const [share] = shareOut(assignor, layouts, [memberOf('x')], false);
  expect(share!.memberId).toBe('x');
  expect(decodeAssignment(share!.assignment)).toEqual({
    partitions: [{ topic: 'a', partition: 1 }],
    userData: Buffer.from('d'),
  });
});

describe('an assignor that would harm the group is stopped', () => {
  const members = [memberOf('x', [0]), memberOf('y')];
  test.each([
    ['gives a partition to two', { x: [0], y: [0] }, false, 'gave a-0 to two members'],
    ['knows a member that is none', { z: [0] }, false, 'z, who is no member'],
    [
      'moves what another still holds',
      { x: [1], y: [0] },
      true,
      'gave a-0 to members while others',
    ],
  ])('that %s', (_, shares, isCooperative, complaint) => {
    expect(() => shareOut(assignorOf(shares), layouts, members, isCooperative)).toThrow(complaint);
  });

  test('that throws', () => {
    const assignor: Assignor = {
      ...assignorOf({}),
      assign: () => {
        throw new Error('no idea');
      },
    };
    expect(() => shareOut(assignor, layouts, members, false)).toThrow(
      expect.objectContaining({
        code: 'ASSIGNOR_FAILED',
        message: expect.stringContaining('no idea') as string,
      }) as Error,
    );
  });

  test('but not for moving under the eager protocol, where nobody holds anything', () => {
    expect(() => shareOut(assignorOf({ x: [1], y: [0] }), layouts, members, false)).not.toThrow();
  });
});

describe('assignors that are offered together', () => {
  const named = (...names: ('range' | 'sticky' | 'cooperative-sticky')[]) =>
    names.map((name) => builtInAssignor(name));

  test('are eager unless all are cooperative', () => {
    expect(commonProtocol('g', named('cooperative-sticky'))).toBe('cooperative');
    expect(commonProtocol('g', named('range', 'cooperative-sticky'))).toBe('eager');
  });

  test('must have a protocol in common', () => {
    const onlyCooperative: Assignor = { ...assignorOf({}), supportedProtocols: ['cooperative'] };
    expect(() => commonProtocol('g', [...named('range'), onlyCooperative])).toThrow(ConfigError);
  });

  test('must be some, and each only once', () => {
    expect(() => commonProtocol('g', [])).toThrow('is empty');
    expect(() => commonProtocol('g', named('range', 'range'))).toThrow("'range' twice");
  });
});
