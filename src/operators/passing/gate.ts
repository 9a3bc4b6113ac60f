import type { Subscriber } from 'rxjs';
import { Queue } from '../../core/util/queue.js';
import { passOn } from './pass-on.js';
import { Pipelines } from './pipelines.js';
import type { Work } from '../processing/work.js';

/** What decides when records may pass. */
export interface Gatekeeper<T> {
  /** Whether it may pass now. Asked once more, for the first that waits, by {@link Gate.open}. */
  mayPass(work: T): boolean;
  /** Nothing waits any more. */
  onIdle(): void;
}

/** Lets records through in order, at once or when it is opened. */
export class Gate<T extends Work> {
  private waiting = new Queue<T>();
  private readonly pipelines: Pipelines;
  private isUpstreamDone = false;
  private isOpening = false;

  constructor(
    private readonly keeper: Gatekeeper<T>,
    private readonly subscriber: Subscriber<T>,
  ) {
    const returnLeaving = () => this.returnLeaving();
    this.pipelines = new Pipelines({ onDraining: returnLeaving, onLost: returnLeaving });
  }

  next(work: T): void {
    this.pipelines.note(work.pipeline);
    if (this.waiting.length === 0 && this.keeper.mayPass(work)) {
      this.subscriber.next(work);
      return;
    }
    if (work.isLeaving) {
      // That was told before it came here.
      work.giveBack();
      return;
    }
    work.takeOver();
    this.waiting.push(work);
  }

  complete(): void {
    this.isUpstreamDone = true;
    this.checkEnd();
  }

  /** What waits goes back. */
  stop(): void {
    this.pipelines.stop();
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      next.giveBack();
    }
  }

  /** Lets through what may pass now. */
  open(): void {
    // Whoever gets a record may open it once more.
    if (this.isOpening) return;
    this.isOpening = true;
    for (let next = this.waiting.peek(); next !== undefined; next = this.waiting.peek()) {
      if (!this.keeper.mayPass(next)) break;
      this.waiting.shift();
      passOn(next, this.subscriber);
    }
    this.isOpening = false;
    this.checkEnd();
  }

  private returnLeaving(): void {
    const kept = new Queue<T>();
    for (const work of this.waiting) {
      if (work.isLeaving) work.giveBack();
      else kept.push(work);
    }
    this.waiting = kept;
    this.checkEnd();
  }

  private checkEnd(): void {
    if (this.waiting.length > 0) return;
    this.keeper.onIdle();
    if (this.isUpstreamDone) this.subscriber.complete();
  }
}
