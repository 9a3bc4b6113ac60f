import { describe, expect, test } from 'vitest';
import { chooseProtocol } from '../../../src/core/group/choose-protocol.js';
import type { GroupOptions } from '../../../src/core/group/index.js';
import { capabilitiesOf, type BrokerCapabilities } from '../../../src/core/network/index.js';
import { ConfigError, UnsupportedVersionError } from '../../../src/core/util/errors.js';
import { groupOptions } from './watched-member.js';

const broker = ({
  join = 9,
  heartbeat = true,
  level = 1,
}: { join?: number; heartbeat?: boolean; level?: number | null } = {}): BrokerCapabilities => ({
  apis: new Map([
    [11, { min: 0, max: join }],
    ...(heartbeat ? [[68, { min: 0, max: 1 }] as const] : []),
  ]),
  features: new Map(level === null ? [] : [['group.version', level]]),
});

const choose = (options: Partial<GroupOptions>, capabilities = broker()) =>
  chooseProtocol(groupOptions({ groupId: 'group', ...options }), capabilities).protocol;

describe('auto', () => {
  test('takes the new protocol where the cluster has it finalized', () => {
    expect(choose({})).toBe('consumer');
  });

  test.each([
    ['the feature is off', broker({ level: 0 })],
    ['the cluster knows no such feature', broker({ level: null })],
    ['the coordinator lacks the request', broker({ heartbeat: false })],
  ])('takes the classic one where %s', (_, capabilities) => {
    expect(choose({}, capabilities)).toBe('classic');
  });

  test('takes the classic one where an assignor of the client’s is asked for', () => {
    expect(choose({ partitionAssignmentStrategy: ['range'] })).toBe('classic');
  });
});

test('what is asked for is taken', () => {
  expect(choose({ groupProtocol: 'classic' })).toBe('classic');
  expect(choose({ groupProtocol: 'consumer' }, broker({ level: null }))).toBe('consumer');
});

describe('options that don’t fit', () => {
  test.each<[string, Partial<GroupOptions>, BrokerCapabilities, string]>([
    [
      'a broker’s assignor in a classic group',
      { groupProtocol: 'classic', groupRemoteAssignor: 'range' },
      broker(),
      'groupRemoteAssignor',
    ],
    [
      'a broker’s assignor on a cluster without the new protocol',
      { groupRemoteAssignor: 'range' },
      broker({ level: 0 }),
      'groupRemoteAssignor',
    ],
    [
      'a client’s assignor in a group of the new protocol',
      { groupProtocol: 'consumer', partitionAssignmentStrategy: ['range'] },
      broker(),
      'partitionAssignmentStrategy',
    ],
    [
      'assignors of both sides',
      { groupRemoteAssignor: 'range', partitionAssignmentStrategy: ['range'] },
      broker(),
      'exclude each other',
    ],
  ])('%s: an error that names the option', (_, options, capabilities, name) => {
    expect(() => choose(options, capabilities)).toThrow(ConfigError);
    expect(() => choose(options, capabilities)).toThrow(name);
  });

  test.each<[string, Partial<GroupOptions>, BrokerCapabilities, string]>([
    [
      'the new protocol on brokers without it',
      { groupProtocol: 'consumer' },
      broker({ heartbeat: false }),
      'groupProtocol is consumer',
    ],
    [
      'static members on brokers before 2.3',
      { groupInstanceId: 'i' },
      broker({ join: 4, level: 0 }),
      'groupInstanceId needs brokers of 2.3',
    ],
    ['groups on brokers before 0.9', {}, capabilitiesOf('0.8.2'), 'has no groups'],
  ])('%s: an error that says what is needed', (_, options, capabilities, hint) => {
    expect(() => choose(options, capabilities)).toThrow(UnsupportedVersionError);
    expect(() => choose(options, capabilities)).toThrow(hint);
  });
});
