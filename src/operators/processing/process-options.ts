import { custom, integer, oneOf, resolveOptions } from '../../core/util/options.js';
import { resolveRetry, retryRule, type OnProcessError } from './failure-policy.js';
import type { LaneOrder } from './lanes.js';
import type { ProcessEachOptions } from '../process-each.js';
import type { ProcessingOptions } from './processing.js';

const policies = new Set<unknown>(['fail', 'skip', 'nack']);

export const laneRules = {
  concurrency: integer(1, { min: 1 }),
  order: oneOf<LaneOrder>('partition', 'partition', 'key', 'none'),
} as const;

const rules = {
  ...laneRules,
  retry: retryRule,
  onError: custom<unknown>(
    'fail',
    "one of 'fail', 'skip', 'nack', a function",
    (value) => policies.has(value) || typeof value === 'function',
  ),
} as const;

/** @throws ConfigError naming the option that does not fit. */
export function checkProcessOptions<T, R, E>(
  given: ProcessEachOptions<T, E>,
): ProcessingOptions<T, R | E> {
  const { retry, onError, ...lanes } = resolveOptions('processEach', rules, given);
  return {
    ...lanes,
    retry: resolveRetry('processEach', retry),
    onError: onError as OnProcessError<T, R | E>,
  };
}
