import { whenGivenUp } from '../passing/when-given-up.js';
import type { Lane, Lanes } from './lanes.js';
import type { Work } from './work.js';

/** Lanes that are closed until a nacked record has come again, and what opens them if it does not. */
export class HeldLanes<T extends Work> {
  private readonly held = new Map<Lane<T>, { readonly work: T; readonly giveUp: () => void }>();

  constructor(
    private readonly lanes: Lanes<T>,
    private readonly onGivenUp: (lane: Lane<T>, work: T) => void,
  ) {}

  /** A nacked record has its turn again before the rest of its lane. */
  hold(lane: Lane<T>, work: T): void {
    const giveUp = () => this.onGivenUp(lane, work);
    const stopListening = whenGivenUp(work, giveUp);
    this.held.set(lane, { work, giveUp });
    this.lanes.hold(lane, () => {
      this.held.delete(lane);
      stopListening();
    });
  }

  /** What is awaited of a partition that is being given up has gone back, wherever it was held back. */
  giveUpDraining(): void {
    for (const { work, giveUp } of [...this.held.values()]) if (work.isDraining) giveUp();
  }

  /** Listens to nothing any more. */
  stop(): void {
    for (const lane of [...this.held.keys()]) this.lanes.release(lane);
  }
}
