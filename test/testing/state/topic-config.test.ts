import { describe, expect, test } from 'vitest';
import { Errors } from '../../../src/testing/error-codes.js';
import { orRejection } from '../../../src/testing/state/rejection.js';
import {
  checkSetting,
  isListSetting,
  TopicConfig,
} from '../../../src/testing/state/topic-config.js';

const none = new Map<string, string>();

test('settings that nobody set have Kafka’s defaults', () => {
  const config = new TopicConfig(none);
  expect(config).toMatchObject({
    maxMessageBytes: 1_048_588,
    minInsyncReplicas: 1,
    retentionBytes: -1,
    segmentBytes: 1_073_741_824,
    isCompacted: false,
    usesLogAppendTime: false,
    timestampBeforeMaxMs: Infinity,
    timestampAfterMaxMs: 3_600_000,
    compressionType: 'producer',
  });
  expect(config.overrides).toEqual({});
});

test('the cluster’s defaults stand in for Kafka’s, a topic’s own settings for both', () => {
  const cluster = new Map([['min.insync.replicas', '2']]);
  expect(new TopicConfig(cluster).minInsyncReplicas).toBe(2);
  expect(new TopicConfig(cluster, { 'min.insync.replicas': '3' }).minInsyncReplicas).toBe(3);
});

test.each([
  ['delete', false, false],
  ['compact', true, true],
  ['compact,delete', true, false],
])('cleanup.policy %s makes a topic compacted: %s, and that only: %s', (policy, is, isOnly) => {
  const config = new TopicConfig(none, { 'cleanup.policy': policy });
  expect(config).toMatchObject({ isCompacted: is, isCompactedOnly: isOnly });
});

test('changes take effect at once, and undefined goes back to the default', () => {
  const config = new TopicConfig(none, { 'max.message.bytes': '10' });
  config.apply(new Map([['message.timestamp.type', 'LogAppendTime']]));
  expect(config).toMatchObject({ maxMessageBytes: 10, usesLogAppendTime: true });
  config.apply(new Map([['max.message.bytes', undefined]]));
  expect(config.maxMessageBytes).toBe(1_048_588);
  expect(config.overrides).toEqual({ 'message.timestamp.type': 'LogAppendTime' });
});

test('entries tell every setting in order, and which were set', () => {
  const { entries } = new TopicConfig(new Map([['retention.ms', '5']]), { 'retention.bytes': '9' });
  const names = entries.map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  expect(entries.find(({ name }) => name === 'retention.bytes')).toEqual({
    name: 'retention.bytes',
    value: '9',
    defaultValue: '-1',
    isDefault: false,
    type: 5,
  });
  expect(entries.find(({ name }) => name === 'retention.ms')).toMatchObject({
    value: '5',
    isDefault: true,
  });
});

describe('a value is refused', () => {
  test.each([
    ['cleanup.policy', 'shred', 'must be one of: delete, compact'],
    ['compression.type', 'brotli', 'must be one of'],
    ['max.message.bytes', 'many', 'Not a number'],
    ['max.message.bytes', '', 'Not a number'],
    ['max.message.bytes', '1.5', 'Not a number of type LONG'],
    ['max.message.bytes', '-1', 'at least 0'],
    ['min.insync.replicas', '0', 'at least 1'],
    ['preallocate', 'maybe', 'must be one of: true, false'],
    ['retention.ms', null, 'must not be null'],
  ])('%s = %s', (name, value, complaint) => {
    const outcome = orRejection(() => checkSetting(name, value));
    expect(outcome).toMatchObject({ errorCode: Errors.INVALID_CONFIG });
    expect(outcome?.message).toContain(complaint);
    expect(outcome?.message).toContain(name);
  });

  test('of a setting that topics don’t have', () => {
    expect(() => new TopicConfig(none, { 'retention.years': '1' })).toThrow(
      'Unknown topic config name: retention.years',
    );
  });
});

test.each([
  ['cleanup.policy', 'compact, delete'],
  ['cleanup.policy', ''],
  ['min.cleanable.dirty.ratio', '0.25'],
  ['retention.ms', '-1'],
  ['flush.ms', '9223372036854775807'],
])('%s = %s is accepted', (name, value) => {
  expect(() => checkSetting(name, value)).not.toThrow();
});

test('lists are known as such', () => {
  expect(isListSetting('cleanup.policy')).toBe(true);
  expect(isListSetting('retention.ms')).toBe(false);
  expect(isListSetting('unheard.of')).toBe(false);
});
