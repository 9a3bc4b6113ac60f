import { integer, oneOf, resolveOptions } from '../core/util/options.js';
import type { LaneOrder } from './lanes.js';
import type { ProcessEachOptions } from './process-each.js';

const rules = {
  concurrency: integer(1, { min: 1 }),
  order: oneOf<LaneOrder>('partition', 'partition', 'key', 'none'),
} as const;

/** @throws ConfigError naming the option that does not fit. */
export function checkProcessOptions(given: ProcessEachOptions): Required<ProcessEachOptions> {
  return resolveOptions('processEach', rules, { ...given });
}
