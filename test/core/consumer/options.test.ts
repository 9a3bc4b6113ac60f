import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  resolveConsumerOptions,
  type ConsumerOptions,
} from '../../../src/core/consumer/options.js';

describe('consumer options', () => {
  it('are complete, frozen, and manual with a group', () => {
    const options = resolveConsumerOptions({ groupId: 'g' });
    expect(Object.isFrozen(options)).toBe(true);
    expect(options).toMatchObject({
      ack: 'manual',
      enableAutoCommit: true,
      maxPollRecords: 500,
      maxUnackedRecords: 1000,
      maxBufferedBytes: 64 * 1024 * 1024,
      offsetReset: { type: 'latest' },
      drainTimeoutMs: 30_000,
      fetchMaxWaitMs: 500,
      maxPollIntervalMs: 300_000,
    });
  });

  it('ack by themselves and commit nothing without a group', () => {
    expect(resolveConsumerOptions({})).toMatchObject({ ack: 'auto', enableAutoCommit: false });
  });

  it('take the window from maxPollRecords unless it is given', () => {
    expect(resolveConsumerOptions({ maxPollRecords: 7 }).maxUnackedRecords).toBe(14);
    expect(resolveConsumerOptions({ maxUnackedRecords: 3 }).maxUnackedRecords).toBe(3);
  });

  it('drain for a third of a short maxPollIntervalMs', () => {
    expect(resolveConsumerOptions({ maxPollIntervalMs: 9000 }).drainTimeoutMs).toBe(3000);
  });

  it('take the age of metadata from the client, and never ask more often than they retry', () => {
    const client = { metadataMaxAgeMs: 5000 };
    const ageOf = (options: ConsumerOptions, inherited = client) =>
      resolveConsumerOptions(options, inherited).metadataMaxAgeMs;
    expect(ageOf({})).toBe(5000);
    expect(ageOf({ metadataMaxAgeMs: undefined } as object)).toBe(5000);
    expect(ageOf({ metadataMaxAgeMs: 700 })).toBe(700);
    expect(ageOf({}, { metadataMaxAgeMs: 0 })).toBe(100);
    expect(ageOf({ metadataMaxAgeMs: 0, retryBackoffMs: 20 })).toBe(20);
  });

  const group = { groupId: 'g' };
  it.each<[string, ConsumerOptions, RegExp]>([
    ['groupInstanceId without a group', { groupInstanceId: 'a' }, /groupInstanceId.*groupId/],
    ['groupProtocol without a group', { groupProtocol: 'classic' }, /groupProtocol.*groupId/],
    ['sessionTimeoutMs without a group', { sessionTimeoutMs: 9 }, /sessionTimeoutMs.*groupId/],
    ['autoCommitRecords without a group', { autoCommitRecords: 9 }, /autoCommitRecords.*groupId/],
    ['committing without a group', { enableAutoCommit: true }, /enableAutoCommit.*groupId/],
    [
      'a commit interval without commits',
      { ...group, enableAutoCommit: false, autoCommitIntervalMs: 5 },
      /autoCommitIntervalMs.*enableAutoCommit/,
    ],
    [
      'a commit count without commits',
      { ...group, enableAutoCommit: false, autoCommitRecords: 5 },
      /autoCommitRecords.*enableAutoCommit/,
    ],
    [
      'a remote assignor with the classic protocol',
      { ...group, groupProtocol: 'classic', groupRemoteAssignor: 'range' },
      /groupRemoteAssignor/,
    ],
    [
      'client-side assignors with the consumer protocol',
      { ...group, groupProtocol: 'consumer', partitionAssignmentStrategy: ['range'] },
      /partitionAssignmentStrategy/,
    ],
    [
      'an assignor that nobody knows',
      { ...group, partitionAssignmentStrategy: ['ranges' as 'range'] },
      /partitionAssignmentStrategy.*'range', 'roundrobin'/,
    ],
    [
      'an assignor that can’t assign',
      { ...group, partitionAssignmentStrategy: [{ name: 'mine' } as unknown as 'range'] },
      /partitionAssignmentStrategy.*assign\(\)/,
    ],
    [
      'a session timeout with the consumer protocol',
      { ...group, groupProtocol: 'consumer', sessionTimeoutMs: 10_000 },
      /sessionTimeoutMs/,
    ],
    [
      'heartbeats rarer than sessions',
      { ...group, heartbeatIntervalMs: 10, sessionTimeoutMs: 10 },
      /heartbeatIntervalMs.*sessionTimeoutMs/,
    ],
    [
      'a drain longer than a rebalance',
      { drainTimeoutMs: 300_000 },
      /drainTimeoutMs.*maxPollIntervalMs/,
    ],
    ['a first wait above the longest', { retryBackoffMs: 5000 }, /retryBackoffMs.*above/],
    ['a longest wait below the first', { nackBackoffMaxMs: 5 }, /nackBackoffMaxMs.*below/],
    ['an empty window', { maxUnackedRecords: 0 }, /maxUnackedRecords/],
    ['no memory', { maxBufferedBytes: 10 }, /maxBufferedBytes/],
    ['an unknown reset', { autoOffsetReset: 'smallest' as 'none' }, /autoOffsetReset.*earliest/],
    ['an unknown ack', { ack: 'maybe' as 'auto' }, /ack/],
    ['an unknown nack policy', { onNack: 'drop' as 'fail' }, /onNack/],
    ['an unknown corrupt policy', { onCorruptRecord: 'ignore' as 'fail' }, /onCorruptRecord/],
    ['an unknown option', { fetchMaxWait: 5 } as ConsumerOptions, /did you mean fetchMaxWaitMs/],
  ])('refuse %s by name', (_title, options, message) => {
    expect(() => resolveConsumerOptions(options)).toThrow(message);
  });
});

describe('the table of what differs from Java', () => {
  const text = readFileSync(new URL('../../../docs/consumer-defaults.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` +\| `([^`]+)`/gm)].map(([, name, value]) => [
    name!,
    value!.replaceAll("'", ''),
  ]);

  it('tells the defaults that there are', () => {
    const resolved = resolveConsumerOptions({ groupId: 'g' }) as unknown as Record<string, unknown>;
    expect(rows.length).toBeGreaterThan(10);
    expect(rows).toEqual(rows.map(([name]) => [name, String(resolved[name!])]));
  });

  it('names every option that Java has not, or has with another default', () => {
    // `offsetReset` is what became of `autoOffsetReset`.
    const { offsetReset, ...resolved } = resolveConsumerOptions({ groupId: 'g' });
    expect(offsetReset).toEqual({ type: 'latest' });
    const named = new Set(rows.map(([name]) => name!));
    const others = Object.entries(resolved).filter(([name]) => !named.has(name));
    expect(Object.fromEntries(others)).toEqual(JAVA_DEFAULTS);
  });
});

/** Of the Java client 4.3 (`ConsumerConfig`) with a group; `undefined` where it is null, or its own list of assignors. */
const JAVA_DEFAULTS = {
  groupId: 'g',
  groupInstanceId: undefined,
  groupRemoteAssignor: undefined,
  partitionAssignmentStrategy: undefined,
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 3000,
  maxPollIntervalMs: 300_000,
  maxPollRecords: 500,
  autoOffsetReset: 'latest',
  autoCommitIntervalMs: 5000,
  isolationLevel: 'read_uncommitted',
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 52_428_800,
  maxPartitionFetchBytes: 1_048_576,
  checkCrcs: true,
  clientRack: '',
  excludeInternalTopics: true,
  requestTimeoutMs: 30_000,
  defaultApiTimeoutMs: 60_000,
  metadataMaxAgeMs: 300_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1000,
};
