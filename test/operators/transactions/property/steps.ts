import fc from 'fast-check';
import type { KafkaRelease } from '../../../../src/testing/index.js';
import { inTransaction, type InTransaction } from '../../../core/consumer/engine/in-transaction.js';

export const PARTITIONS = 3;
export const BROKERS = 3;
export const MEMBERS = 2;

/** How brokers run transactions. */
export interface Line {
  readonly version: KafkaRelease;
  readonly features: Readonly<Record<string, number>>;
  readonly groupProtocol: 'classic' | 'consumer';
  /** What names the members' producers. */
  readonly ids: 'one each' | 'one for all' | 'prefix' | 'name' | 'side by side' | 'partition';
}

export interface Settings {
  readonly line: Line;
  readonly window: number;
  readonly maxRecords: number;
  readonly maxWaitMs: number;
  readonly lingerMs: number;
  /** How long transactions take, one after the other. */
  readonly paces: readonly number[];
  /** Batches that are in each log at first. */
  readonly batches: number;
}

/** What befalls the members of a group, or their cluster. */
export type Step =
  | { readonly do: 'produce'; readonly partition: number; readonly count: number }
  | {
      readonly do: 'transact';
      readonly partition: number;
      readonly batches: readonly InTransaction[];
    }
  | { readonly do: 'join' | 'leave' | 'drain' | 'crash' | 'expire' | 'err'; readonly who: number }
  | { readonly do: 'refuse'; readonly api: Api; readonly pick: number; readonly times: number }
  | {
      readonly do: 'lose';
      readonly api: Api;
      readonly when: 'before' | 'after';
      readonly times: number;
    }
  | { readonly do: 'slow'; readonly api: Api; readonly ms: number }
  | {
      readonly do: 'moveLeader';
      readonly topic: 'in' | 'out';
      readonly partition: number;
      readonly broker: number;
    }
  | { readonly do: 'moveCoordinator'; readonly of: number; readonly broker: number }
  | { readonly do: 'stop'; readonly broker: number }
  | { readonly do: 'start' | 'calm' }
  | {
      readonly do: 'truncate';
      readonly partition: number;
      readonly lost: number;
      /** Batches of the new leader. */
      readonly written: number;
    }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'audit' | 'settle' };

export type Api = keyof typeof refusals;

/** What brokers may say at any time. */
export const refusals = {
  Produce: [
    'NOT_LEADER_OR_FOLLOWER',
    'NOT_ENOUGH_REPLICAS',
    'REQUEST_TIMED_OUT',
    'TRANSACTION_ABORTABLE',
  ],
  InitProducerId: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS'],
  AddPartitionsToTxn: [
    'CONCURRENT_TRANSACTIONS',
    'NOT_COORDINATOR',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'TRANSACTION_ABORTABLE',
  ],
  AddOffsetsToTxn: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR', 'TRANSACTION_ABORTABLE'],
  TxnOffsetCommit: [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'NOT_COORDINATOR',
    'ILLEGAL_GENERATION',
    'UNKNOWN_MEMBER_ID',
    'TRANSACTION_ABORTABLE',
  ],
  EndTxn: [
    'CONCURRENT_TRANSACTIONS',
    'NOT_COORDINATOR',
    'COORDINATOR_NOT_AVAILABLE',
    'TRANSACTION_ABORTABLE',
  ],
  FindCoordinator: ['COORDINATOR_NOT_AVAILABLE'],
  OffsetFetch: ['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'UNSTABLE_OFFSET_COMMIT'],
  Fetch: ['NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH'],
  Heartbeat: ['REBALANCE_IN_PROGRESS', 'NOT_COORDINATOR', 'UNKNOWN_MEMBER_ID'],
  ConsumerGroupHeartbeat: ['NOT_COORDINATOR', 'FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID'],
} as const;

const who = fc.nat(MEMBERS - 1);
const partition = fc.nat(PARTITIONS - 1);
const broker = fc.integer({ min: 1, max: BROKERS });
const api = fc.constantFrom(...(Object.keys(refusals) as Api[]));
const times = fc.integer({ min: 1, max: 3 });

function step<D extends Step['do'], R extends object>(
  weight: number,
  doing: D | readonly D[],
  rest: { [K in keyof R]: fc.Arbitrary<R[K]> },
) {
  const names = Array.isArray(doing) ? (doing as readonly D[]) : [doing as D];
  return { weight, arbitrary: fc.record({ do: fc.constantFrom(...names), ...rest }) };
}

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    step(6, 'produce', { partition, count: fc.integer({ min: 1, max: 12 }) }),
    step(3, 'transact', {
      partition,
      batches: fc.array(inTransaction, { minLength: 1, maxLength: 6 }),
    }),
    step(5, 'join', { who }),
    step(3, ['leave', 'drain', 'crash', 'expire', 'err'], { who }),
    step(5, 'refuse', { api, pick: fc.nat(9), times }),
    step(4, 'lose', { api, when: fc.constantFrom('before' as const, 'after' as const), times }),
    step(3, 'slow', { api: fc.oneof(api, fc.constant('EndTxn' as const)), ms: fc.nat(3000) }),
    step(2, 'moveLeader', {
      topic: fc.constantFrom('in' as const, 'out' as const),
      partition,
      broker,
    }),
    step(2, 'moveCoordinator', { of: fc.nat(MEMBERS), broker }),
    step(1, 'stop', { broker }),
    step(2, ['start', 'calm'], {}),
    step(2, 'truncate', {
      partition,
      lost: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 20 })),
      written: fc.nat(4),
    }),
    step(10, 'wait', { ms: fc.oneof(fc.nat(60), fc.nat(3000)) }),
    step(1, ['audit', 'settle'], {}),
  ) as fc.Arbitrary<Step>,
  { minLength: 5, maxLength: 40 },
);

const modern: fc.Arbitrary<Line> = fc.record({
  version: fc.constant('4.3' as const),
  features: fc.constantFrom({}, { 'transaction.version': 1 }),
  groupProtocol: fc.constantFrom('classic' as const, 'consumer' as const),
  ids: fc.constantFrom('one each', 'one for all', 'prefix', 'name', 'side by side', 'partition'),
});

const older: fc.Arbitrary<Line> = fc.record({
  version: fc.constant('2.8' as const),
  features: fc.constant({}),
  groupProtocol: fc.constant('classic' as const),
  ids: fc.constantFrom('one each', 'one for all', 'side by side', 'partition'),
});

/** Before offsets could be stored as a member (KIP-447), and before a cut log could be told (KIP-320). */
const old: fc.Arbitrary<Line> = fc.record({
  version: fc.constant('1.1' as const),
  features: fc.constant({}),
  groupProtocol: fc.constant('classic' as const),
  ids: fc.constant('partition' as const),
});

export const settings: fc.Arbitrary<Settings> = fc.record({
  line: fc.oneof(
    { weight: 4, arbitrary: modern },
    { weight: 1, arbitrary: older },
    { weight: 1, arbitrary: old },
  ),
  window: fc.integer({ min: 1, max: 20 }),
  maxRecords: fc.integer({ min: 1, max: 20 }),
  maxWaitMs: fc.constantFrom(0, 10, 200),
  lingerMs: fc.constantFrom(0, 5),
  paces: fc.array(fc.constantFrom(0, 0, 300, 3000), { minLength: 1, maxLength: 6 }),
  batches: fc.constantFrom(1, 8),
});
