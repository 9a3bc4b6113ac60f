import type { Cancel, Clock } from '../../util/clock.js';

/** Time that work may take before the event loop has its turn. */
const SLICE_MS = 5;

/**
 * Runs work in slices, and never for long without letting the event loop turn, however often it is
 * woken: so heartbeats, and whatever else the process serves, don't wait for it.
 */
export class Slices {
  private isScheduled = false;
  private isRunning = false;
  private isStopped = false;
  /** Work goes on when the event loop has turned. */
  private isPending = false;
  private isTurnAwaited = false;
  private cancelTurn: Cancel = () => undefined;
  private spentMs = 0;

  constructor(
    private readonly clock: Clock,
    /** Runs a task once the code at work now is done. */
    private readonly soon: (task: () => void) => void,
    /** Works until the deadline at most; true when there is more to do. */
    private readonly work: (deadline: number) => boolean,
    /** A slice is over. */
    private readonly onRest: () => void,
  ) {}

  /** Goes on, once the code at work now is done. */
  wake(): void {
    if (this.isScheduled || this.isRunning || this.isStopped) return;
    this.isScheduled = true;
    this.soon(() => {
      this.isScheduled = false;
      this.resume();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.cancelTurn();
  }

  private resume(): void {
    if (this.isStopped || this.isRunning) return;
    if (this.spentMs >= SLICE_MS) {
      this.isPending = true;
      return;
    }
    this.awaitTurn();
    this.isRunning = true;
    const start = this.clock.monotonic();
    try {
      if (this.work(start + SLICE_MS - this.spentMs)) this.isPending = true;
    } finally {
      this.isRunning = false;
      this.spentMs += this.clock.monotonic() - start;
    }
    this.onRest();
  }

  /** Notices when the event loop has turned, however work was woken meanwhile. */
  private awaitTurn(): void {
    if (this.isTurnAwaited) return;
    this.isTurnAwaited = true;
    this.cancelTurn = this.clock.yield(() => {
      this.isTurnAwaited = false;
      this.spentMs = 0;
      if (!this.isPending) return;
      this.isPending = false;
      this.resume();
    });
  }
}
