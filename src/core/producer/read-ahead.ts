/** Below this a machine's own scheduling shows: loopback was as fast with 1 MiB as with 8. */
const LEAST_BYTES = 2 * 1024 * 1024;
/** How often what is answered within a round trip is kept at hand; more than 1, so that it can grow. */
const GAIN = 4;
const WINDOW_MS = 100;
const MEMORY_MS = 10_000;

/**
 * How many bytes keep brokers busy: a few times what they take within a round trip. What is read
 * further ahead only waits, and gets old enough to burden the garbage collector.
 */
export class ReadAhead {
  private bytesPerMs = 0;
  private windowStart = 0;
  private windowBytes = 0;
  /** The shortest answers of this period and of the one before. */
  private shortestMs = Infinity;
  private formerShortestMs = Infinity;
  private periodStart = 0;

  /** Notes an answer: how much was sent, and how long it took. */
  answered(bytes: number, latencyMs: number, now: number): void {
    if (now - this.periodStart > MEMORY_MS) {
      this.formerShortestMs = this.shortestMs;
      this.shortestMs = Infinity;
      this.periodStart = now;
    }
    this.shortestMs = Math.min(this.shortestMs, latencyMs);
    this.windowBytes += bytes;
    const passedMs = now - this.windowStart;
    if (passedMs < Math.max(WINDOW_MS, 2 * this.roundTripMs)) return;
    this.bytesPerMs = this.windowBytes / passedMs;
    this.windowStart = now;
    this.windowBytes = 0;
  }

  /** What is worth having at hand. */
  get bytes(): number {
    const { bytesPerMs, roundTripMs } = this;
    return bytesPerMs === 0 ? LEAST_BYTES : Math.max(LEAST_BYTES, GAIN * bytesPerMs * roundTripMs);
  }

  private get roundTripMs(): number {
    return Math.min(this.shortestMs, this.formerShortestMs);
  }
}
