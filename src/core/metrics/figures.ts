import type { Sensor } from './sensor.js';

/** Figures of one group, by name. */
export type Figures = Record<string, number>;

/** Mean and maximum of what was measured lately. */
export function spread(name: string, { avg, max }: Sensor): Figures {
  return { [`${name}-avg`]: avg, [`${name}-max`]: max };
}

/** The sum of what was measured: for each second lately, and since the beginning. */
export function flow(name: string, { rate, total }: Sensor): Figures {
  return { [`${name}-rate`]: rate, [`${name}-total`]: total };
}

/** How often it was measured: in each second lately, and since the beginning. */
export function occurrences(name: string, { frequency, count }: Sensor): Figures {
  return { [`${name}-rate`]: frequency, [`${name}-total`]: count };
}
