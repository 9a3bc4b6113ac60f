import type { Work } from '../processing/work.js';

/**
 * Passes on what was held back. Where records are acked when their delivery returns, this delivery is
 * the one that counts.
 */
export function passOn<T extends Work>(work: T, subscriber: { next(work: T): void }): void {
  work.letGo();
  subscriber.next(work);
  if (work.pipeline.host.isAutoAck) work.ackUnlessTaken();
}
