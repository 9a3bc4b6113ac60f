import { expect, it } from 'vitest';
import {
  emptyMetadata,
  type ClusterMetadata,
  type TopicMetadata,
} from '../../../src/core/cluster/metadata.js';
import {
  MetadataWaiters,
  notTold,
  type Wanted,
} from '../../../src/core/cluster/metadata-waiters.js';
import { ZERO_UUID } from '../../../src/core/protocol/index.js';
import { FakeClock, settled } from '../../support/fake-clock.js';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const TOPIC_AUTHORIZATION_FAILED = 29;

function topic(name: string, { leader = 1, errorCode = 0 } = {}): TopicMetadata {
  const replication = { replicas: [1], isr: [1], offline: [] };
  const partition = { partition: 0, leader, leaderEpoch: 0, ...replication, errorCode };
  const partitions = errorCode === 0 ? [partition] : [];
  return { name, id: ZERO_UUID, isInternal: false, errorCode, partitions };
}

function metadata(...topics: TopicMetadata[]): ClusterMetadata {
  return { ...emptyMetadata, topics: new Map(topics.map((each) => [each.name, each])) };
}

/** Waiters on a clock of their own, and what became of each, in order. */
class Watched {
  readonly clock = new FakeClock();
  readonly waiters = new MetadataWaiters();
  private readonly ends: string[] = [];

  wait(name: string, wanted: Partial<Wanted>, signal?: AbortSignal): void {
    const bounds = {
      clock: this.clock,
      timeoutMs: 1000,
      signals: [signal],
      onTimeout: () => new Error('too late'),
    };
    this.waiters.wait({ topics: [], from: 1, wantsNews: false, ...wanted }, bounds).then(
      () => this.ends.push(name),
      (error: unknown) => this.ends.push(`${name}: ${(error as Error).message}`),
    );
  }

  async ended(): Promise<readonly string[]> {
    await settled();
    return this.ends;
  }
}

it('tells of topics when each of them has a leader', async () => {
  const watched = new Watched();
  watched.wait('both', { topics: ['a', 'b'] });
  watched.wait('one', { topics: ['a'] });
  watched.waiters.settle(metadata(topic('a'), topic('b', { leader: -1 })), 1);
  expect(await watched.ended()).toEqual(['one']);
  expect([...watched.waiters.topics]).toEqual(['a', 'b']);
  watched.waiters.settle(metadata(topic('a'), topic('b')), 2);
  expect(await watched.ended()).toEqual(['one', 'both']);
  expect(watched.waiters.isEmpty).toBe(true);
});

it('tells of a topic that is out of reach only what was asked for since', async () => {
  const watched = new Watched();
  const refused = metadata(topic('a', { errorCode: TOPIC_AUTHORIZATION_FAILED }));
  watched.wait('late', { topics: ['a'], from: 2 });
  watched.waiters.settle(refused, 1);
  expect(await watched.ended()).toEqual([]);
  watched.waiters.settle(refused, 2);
  expect(await watched.ended()).toEqual(['late']);
});

it('goes on waiting for a topic that may yet come to be', async () => {
  const watched = new Watched();
  watched.wait('patient', { topics: ['a'] });
  watched.waiters.settle(metadata(topic('a', { errorCode: UNKNOWN_TOPIC_OR_PARTITION })), 5);
  expect(await watched.ended()).toEqual([]);
});

it('tells whoever wants news nothing that was on its way before', async () => {
  const watched = new Watched();
  watched.wait('curious', { wantsNews: true, from: 2 });
  watched.wait('content', { wantsNews: false, from: 2 });
  watched.waiters.settle(metadata(), 1);
  expect(await watched.ended()).toEqual(['content']);
  watched.waiters.settle(metadata(), 2);
  expect(await watched.ended()).toEqual(['content', 'curious']);
});

it('waits no longer for whom was told, had no more time, gave up, or failed with all others', async () => {
  const watched = new Watched();
  const giveUp = new AbortController();
  watched.wait('told', {});
  watched.waiters.settle(metadata(), 1);
  await settled();
  watched.wait('slow', { topics: ['a'] });
  watched.clock.advance(1000);
  watched.wait('hurried', { topics: ['a'] }, giveUp.signal);
  giveUp.abort();
  await settled();
  expect(watched.waiters.isEmpty).toBe(true);
  watched.wait('unlucky', { topics: ['a'] });
  watched.waiters.rejectAll(new Error('no credentials'));
  expect(watched.waiters.isEmpty).toBe(true);
  expect(await watched.ended()).toEqual([
    'told',
    'slow: too late',
    'hurried: The request was aborted',
    'unlucky: no credentials',
  ]);
  expect(watched.clock.pending).toBe(0);
});

it('says which topics nobody told of, why, and what the last attempt met', () => {
  const known = metadata(topic('a'), topic('b', { errorCode: UNKNOWN_TOPIC_OR_PARTITION }));
  const cause = new Error('refused');
  expect(notTold(['a', 'b', 'c'], known, cause)).toMatchObject({
    message:
      'No broker told in time where to find b (UNKNOWN_TOPIC_OR_PARTITION), c; ' +
      'the last attempt failed: refused',
    cause,
  });
  expect(notTold([], known, undefined).message).toBe('No broker told in time about the cluster');
});
