import type { Producer } from '../../core/producer/index.js';
import { Queue } from '../../core/util/queue.js';

/**
 * Producers that take turns, the longest rested first: after a commit the coordinator writes its
 * markers, and an id that begins anew meanwhile waits for them, up to 20 ms.
 */
export class Turns {
  private readonly rested = new Queue<Producer>();

  /** @param producers at least one for each transaction that is under way at a time. */
  constructor(producers: readonly Producer[]) {
    for (const producer of producers) this.rested.push(producer);
  }

  take(): Producer {
    return this.rested.shift()!;
  }

  giveBack(producer: Producer): void {
    this.rested.push(producer);
  }
}
