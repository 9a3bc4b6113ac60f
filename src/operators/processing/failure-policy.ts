import { custom, integer, resolveOptions, type OptionRule } from '../../core/util/options.js';
import { KafkaError } from '../../core/util/errors.js';
import type { Work, WorkResult } from './work.js';
import { messageOf } from '../../core/util/message-of.js';

/** When work that failed is tried again. */
export interface RetryOptions {
  /** How often at most; `Infinity` for ever. */
  readonly count: number;
  /** Wait before it is tried again for the first time, in ms, doubling from then on. Default 100. */
  readonly backoffMs?: number;
  /** The longest wait, in ms. Default 10,000. */
  readonly backoffMaxMs?: number;
}

/** Work that failed for good. */
export interface ProcessFailure<T> {
  /** The record, or the batch, that it was for. */
  readonly record: T;
  /** What was thrown, or what the result errored with, the last time. */
  readonly error: unknown;
  /** How often it was tried, over all deliveries. */
  readonly attempt: number;
}

/** What becomes of work that failed for good. */
export type OnProcessError<T, E> =
  'fail' | 'skip' | 'nack' | ((failure: ProcessFailure<T>) => WorkResult<E>);

/** Work is not tried again. */
export const NO_RETRY: Required<RetryOptions> = { count: 0, backoffMs: 0, backoffMaxMs: 0 };

const retryRules = {
  count: custom(0, 'a whole number of at least 0, or Infinity', isCount),
  backoffMs: integer(100),
  backoffMaxMs: integer(10_000),
} as const;

/** An option that says how often to try again, as a number or with its waits. */
export const retryRule: OptionRule<number | RetryOptions> = {
  default: 0,
  complaint(value) {
    if (isCount(value)) return undefined;
    if (typeof value !== 'object' || value === null) {
      return 'must be a whole number of at least 0, Infinity, or { count, backoffMs, backoffMaxMs }';
    }
    return undefined;
  },
};

/** @throws ConfigError naming the option that does not fit. */
export function resolveRetry(
  operator: string,
  retry: number | RetryOptions,
): Required<RetryOptions> {
  const given = typeof retry === 'number' ? { count: retry } : { ...retry };
  return resolveOptions(`${operator}: retry`, retryRules, given);
}

/** Tells that records were passed over because work on them failed. */
export function tellSkipped(work: Work, cause: unknown): void {
  const { emit } = work.pipeline.host;
  for (const { topic, partition, offset } of work.everyRecord()) {
    const reason = messageOf(cause);
    const error = new KafkaError(
      `Work on the record at ${topic}-${partition} offset ${offset} failed, and it was skipped: ${reason}`,
      { code: 'RECORD_FAILED', context: { topic, partition, offset }, cause },
    );
    emit({ type: 'skipped', topic, partition, offset, nextOffset: offset + 1, error });
  }
}

/** Tells that work on records is tried again. */
export function tellRetried(work: Work, attempt: number, delayMs: number, reason: unknown): void {
  const { emit } = work.pipeline.host;
  for (const { topic, partition, offset } of work.everyRecord()) {
    emit({ type: 'record-retried', topic, partition, offset, attempt, delayMs, reason });
  }
}

function isCount(value: unknown): boolean {
  return value === Infinity || (Number.isInteger(value) && (value as number) >= 0);
}
