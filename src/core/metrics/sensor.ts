import type { Clock } from '../util/clock.js';

/** Kafka keeps two samples of 30 seconds: figures cover the last 30 to 60 seconds. */
const SAMPLE_MS = 30_000;
const SAMPLES = 2;

interface Sample {
  startedAt: number;
  count: number;
  sum: number;
  max: number;
}

/** What was measured lately: figures over a sliding window, and sums since the beginning. */
export class Sensor {
  /** Sum of everything that was ever recorded. */
  total = 0;
  /** How often anything was ever recorded. */
  count = 0;
  private readonly samples: Sample[] = [];
  private readonly createdAt: number;

  constructor(private readonly clock: Clock) {
    this.createdAt = clock.monotonic();
  }

  record(value: number): void {
    const sample = this.current();
    sample.count++;
    sample.sum += value;
    if (value > sample.max) sample.max = value;
    this.total += value;
    this.count++;
  }

  /** Sum per second. */
  get rate(): number {
    return this.perSecond(({ sum }) => sum);
  }

  /** How often per second. */
  get frequency(): number {
    return this.perSecond(({ count }) => count);
  }

  /** Mean of what was recorded; `NaN` when nothing was, as in Kafka. */
  get avg(): number {
    const recent = this.recent(this.clock.monotonic());
    const count = recent.reduce((sum, sample) => sum + sample.count, 0);
    return recent.reduce((sum, sample) => sum + sample.sum, 0) / count;
  }

  /** Largest value that was recorded; `NaN` when nothing was. */
  get max(): number {
    const recent = this.recent(this.clock.monotonic());
    return recent.length === 0 ? NaN : Math.max(...recent.map(({ max }) => max));
  }

  private perSecond(figure: (sample: Sample) => number): number {
    const now = this.clock.monotonic();
    const recent = this.recent(now);
    const since = recent[0]?.startedAt ?? this.createdAt;
    const seconds = Math.max(now - since, 1000) / 1000;
    return recent.reduce((sum, sample) => sum + figure(sample), 0) / seconds;
  }

  private current(): Sample {
    const now = this.clock.monotonic();
    const last = this.samples[this.samples.length - 1];
    if (last !== undefined && now - last.startedAt < SAMPLE_MS) return last;
    const next: Sample = { startedAt: now, count: 0, sum: 0, max: -Infinity };
    this.samples.push(next);
    if (this.samples.length > SAMPLES) this.samples.shift();
    return next;
  }

  private recent(now: number): Sample[] {
    return this.samples.filter(({ startedAt }) => now - startedAt < SAMPLE_MS * SAMPLES);
  }
}
