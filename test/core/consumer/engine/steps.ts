import fc from 'fast-check';
import { inTransaction, type InTransaction } from './in-transaction.js';

export const PARTITIONS = 3;

export interface Settings {
  readonly window: number;
  readonly maxBufferedBytes: number;
  readonly maxPartitionFetchBytes: number;
  readonly groupProtocol: 'classic' | 'consumer';
  readonly isolationLevel: 'read_committed' | 'read_uncommitted';
  /** Batches that are in each log at first. */
  readonly batches: number;
}

/** What befalls the members of a group, or their cluster. */
export type Step =
  | {
      readonly do: 'produce';
      readonly partition: number;
      readonly count: number;
      readonly isPacked: boolean;
    }
  | {
      readonly do: 'transact';
      readonly partition: number;
      readonly batches: readonly InTransaction[];
    }
  | { readonly do: 'ack' | 'nack'; readonly who: number; readonly pick: number }
  | { readonly do: 'seek'; readonly who: number; readonly partition: number; readonly to: number }
  | { readonly do: 'pause' | 'resume'; readonly who: number; readonly partition: number }
  | { readonly do: 'commit' | 'join' | 'leave' | 'vanish'; readonly who: number }
  | { readonly do: 'moveLeader' | 'dropFetch' }
  | {
      readonly do: 'truncate';
      readonly partition: number;
      readonly lost: number;
      /** Batches of the new leader. */
      readonly written: number;
    }
  | { readonly do: 'recreate'; readonly absentMs: number }
  | { readonly do: 'wait' | 'work'; readonly ms: number }
  | { readonly do: 'linger' | 'settle' };

const who = fc.nat(1);
const partition = fc.nat(PARTITIONS - 1);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('produce' as const),
      partition,
      count: fc.integer({ min: 1, max: 12 }),
      isPacked: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('transact' as const),
      partition,
      batches: fc.array(inTransaction, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('ack' as const), who, pick: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('nack' as const), who, pick: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('seek' as const), who, partition, to: fc.nat(40) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('pause' as const, 'resume' as const),
      who,
      partition,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('commit' as const, 'join' as const, 'leave' as const, 'vanish' as const),
      who,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('moveLeader' as const, 'dropFetch' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('truncate' as const),
      partition,
      lost: fc.integer({ min: 1, max: 20 }),
      written: fc.nat(6),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('recreate' as const),
      absentMs: fc.constantFrom(0, 10, 2000),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('wait' as const, 'work' as const),
      ms: fc.nat(3000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('linger' as const, 'settle' as const) }),
  },
);

export const settings: fc.Arbitrary<Settings> = fc.record({
  window: fc.integer({ min: 1, max: 8 }),
  maxBufferedBytes: fc.constantFrom(2000, 20_000, 1_000_000),
  maxPartitionFetchBytes: fc.constantFrom(1, 600, 100_000),
  groupProtocol: fc.constantFrom('classic' as const, 'consumer' as const),
  isolationLevel: fc.constantFrom('read_committed' as const, 'read_uncommitted' as const),
  // Many are more than a fetch brings; with few, partitions are at their ends.
  batches: fc.constantFrom(1, 8),
});
