/** What a process takes, and of that, in MiB. */
export interface Footprint {
  readonly rss: number;
  /** V8's heap, with what it keeps for garbage to come: both halves of the young generation. */
  readonly heap: number;
  /** Outside of the heap: batches, what they are compressed into, and the source's own Buffers. */
  readonly arrayBuffers: number;
}

export interface MemoryRun {
  readonly acknowledged: number;
  readonly base: Footprint;
  /** When there was most. */
  readonly peak: Footprint;
}

const SAMPLE_MS = 10;
const MIB = 1024 * 1024;

export function footprint(): Footprint {
  const { rss, heapTotal, arrayBuffers } = process.memoryUsage();
  return { rss: rss / MIB, heap: heapTotal / MIB, arrayBuffers: arrayBuffers / MIB };
}

/** Looks every now and then when most is taken, from a first look on. */
export function watchPeak(base: Footprint): { end: () => Footprint } {
  let peak = base;
  const sampling = setInterval(() => {
    const now = footprint();
    if (now.rss > peak.rss) peak = now;
  }, SAMPLE_MS);
  return {
    end() {
      clearInterval(sampling);
      // What no sample has seen counts, too.
      return { ...peak, rss: process.resourceUsage().maxRSS / 1024 };
    },
  };
}
