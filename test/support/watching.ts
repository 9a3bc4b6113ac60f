import type { Observable, Subscription } from 'rxjs';
import { encodeRecords, type EncodeOptions } from '../../src/core/records/index.js';
import { fromOffsetRange, type ConsumerRecord } from '../../src/index.js';
import type { Simulation } from './simulation.js';

/** What a stream has given so far. */
export interface Watched<T> {
  readonly values: T[];
  readonly subscription: Subscription;
  error: unknown;
  isComplete: boolean;
}

/** Subscribes and notes everything. */
export function watch<T>(source: Observable<T>, onValue: (value: T) => void = () => undefined) {
  const values: T[] = [];
  let error: unknown;
  let isComplete = false;
  const subscription = source.subscribe({
    next: (value) => {
      values.push(value);
      onValue(value);
    },
    error: (failure: unknown) => (error = failure),
    complete: () => (isComplete = true),
  });
  return {
    values,
    subscription,
    get error() {
      return error;
    },
    get isComplete() {
      return isComplete;
    },
  } satisfies Watched<T>;
}

/** The values that `read_committed` sees in partitions, one partition after the other. */
export async function committedValues(
  sim: Simulation,
  topic: string,
  partitions = 1,
): Promise<string[]> {
  const ranges = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const seen = watch(fromOffsetRange(sim.kafka(), ranges, { isolationLevel: 'read_committed' }));
  await sim.until(() => seen.isComplete || seen.error !== undefined);
  return seen.values
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map(({ value }) => String(value));
}

/**
 * Appends a batch of records to a partition, whose values say `partition:offset`.
 *
 * @returns the offset of the first.
 */
export function fill(
  { cluster, clock }: Simulation,
  topic: string,
  partition: number,
  count: number,
  { padding = 0, ...options }: EncodeOptions & { readonly padding?: number } = {},
): number {
  const end = cluster.inspect().topics[topic]!.partitions[partition]!.logEndOffset;
  const content = Array.from({ length: count }, (_, i) => ({
    value: `${partition}:${end + i}${' '.repeat(padding)}`,
    timestamp: Math.floor(clock.now()),
  }));
  return cluster.append(topic, partition, encodeRecords(content, options));
}

/** Offsets of records, those of one partition if wanted. */
export function offsetsOf(
  records: readonly ConsumerRecord<unknown, unknown>[],
  partition?: number,
): number[] {
  return records
    .filter((record) => partition === undefined || record.partition === partition)
    .map(({ offset }) => offset);
}

/** 0 up to but not including `count`, or from a first number on. */
export function upTo(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
