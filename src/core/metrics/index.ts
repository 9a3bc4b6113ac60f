export { flow, occurrences, spread, type Figures } from './figures.js';
export { PerTopic } from './per-topic.js';
export { Sensor } from './sensor.js';

/**
 * Figures by group and name, as kafka-python gives them: `metrics()['producer-metrics']['byte-rate']`.
 * Rates are per second, times in ms; averages and maxima cover the last 30 to 60 seconds and are
 * `NaN` when nothing happened in them. `docs/metrics.md` has all names with meaning and unit.
 */
export type Metrics = Readonly<Record<string, Readonly<Record<string, number>>>>;
