import { describe, expect, test } from 'vitest';
import { resolveEmbeddedOptions, type EmbeddedKafkaOptions } from '../../src/testing/options.js';

test('one broker of 4.3 on TCP is what there is without options', () => {
  expect(resolveEmbeddedOptions({})).toMatchObject({
    brokers: [{ id: 1 }],
    version: '4.3',
    listen: 'tcp',
    topics: {},
    numPartitions: 1,
    defaultReplicationFactor: 1,
    minInsyncReplicas: 1,
    autoCreateTopicsEnable: true,
    validateEachRecord: false,
  });
});

test.each([
  [1, 1],
  [2, 2],
  [3, 3],
  [5, 3],
])('with %i brokers topics have %i replicas by default', (brokers, factor) => {
  const options = resolveEmbeddedOptions({ brokers });
  expect(options.brokers).toHaveLength(brokers);
  expect(options.defaultReplicationFactor).toBe(factor);
});

test('brokers may be named one by one', () => {
  const brokers = [{ id: 10, rack: 'a' }, { id: 0 }];
  expect(resolveEmbeddedOptions({ brokers }).brokers).toEqual(brokers);
});

describe('an option is refused', () => {
  test.each<[string, object]>([
    ['brokers', { brokers: 0 }],
    ['brokers', { brokers: 1.5 }],
    ['brokers', { brokers: [] }],
    ['brokers', { brokers: [{ id: 1 }, { id: 1 }] }],
    ['brokers', { brokers: [{ id: -1 }] }],
    ['version', { version: '5.0' }],
    ['listen', { listen: 'udp' }],
    ['topics', { topics: 'orders' }],
    ['numPartitions', { numPartitions: 0 }],
    ['defaultReplicationFactor', { brokers: 2, defaultReplicationFactor: 3 }],
    ['minInsyncReplicas', { minInsyncReplicas: 0 }],
    ['clock', { clock: 5 }],
    ['broker', { broker: 3 }],
  ])('%s in %j', (name, options) => {
    expect(() => resolveEmbeddedOptions(options as EmbeddedKafkaOptions)).toThrow(name);
  });
});
