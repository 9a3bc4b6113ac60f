import { plainPartition } from '../../group/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { UserCallbacks } from '../callbacks.js';
import type { ConsumerContext } from '../context.js';
import { Drains } from './drains.js';
import type { Outlets } from '../delivering/outlets.js';
import type { Pipeline } from '../pipeline.js';

/** Why a run ends, which decides what is done about work in hand. */
export type EndReason =
  /** Asked for: work that was started is finished, the rest is given back. */
  | 'drained'
  /** Nobody listens any more; operators behind may still have work in hand. */
  | 'unsubscribed'
  /** As before, but nothing is waited for. */
  | 'abandoned'
  /** All that was wanted has been delivered. */
  | 'completed'
  /** For good: the error is told when everything was given back. */
  | 'failed';

/** Stops delivery of partitions and waits for the work that is in hand. */
export class Drainer {
  private readonly drains: Drains;
  /** When all waits are over that began with more time. */
  private latest = Infinity;

  constructor(
    private readonly context: ConsumerContext,
    private readonly outlets: Outlets,
    private readonly pipeline: Pipeline,
    private readonly callbacks: UserCallbacks,
  ) {
    this.drains = new Drains(context.clock);
  }

  /** To be called whenever a record was acked or returned, or a partition is gone. */
  check(): void {
    this.drains.check();
  }

  /** Lets nothing be awaited for longer than this from now on. */
  hasten(timeoutMs: number): void {
    this.latest = Math.min(this.latest, this.context.clock.monotonic() + timeoutMs);
    this.drains.hasten(this.latest);
  }

  /** Ends every wait. */
  stop(): void {
    this.drains.stop();
  }

  /** Waits for a callback of the user's until the deadline, or until the end. */
  called(task: Promise<unknown>, deadline: number): Promise<void> {
    return this.drains.called(task, deadline);
  }

  /** Waits for something else, so long at most. */
  within(task: Promise<unknown>, timeoutMs: number): Promise<void> {
    return this.drains.within(task, timeoutMs);
  }

  /**
   * Gives partitions up: has what was not started returned, waits for the rest and for the user's
   * `beforeRevoke`, and at the deadline tells work that is still going on to stop.
   */
  async drain(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    if (partitions.length === 0) return;
    for (const partition of partitions) partition.leave();
    this.context.emit({ type: 'draining', partitions: partitions.map(plainPartition) });
    for (const partition of partitions) this.outlets.detach(partition);
    this.pipeline.draining();
    await Promise.all([
      this.drains.done(partitions, deadline),
      this.askBeforeRevoke(partitions, deadline),
    ]);
    for (const partition of partitions) if (!partition.isDrained) partition.abortWork();
  }

  /** Waits for work in hand, as long as the reason to leave allows. */
  async finish(
    reason: EndReason,
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
  ): Promise<void> {
    const deadline = this.context.clock.monotonic() + timeoutMs;
    switch (reason) {
      case 'abandoned':
        return;
      case 'drained':
      case 'failed':
        await this.drain(partitions, deadline);
        return;
      case 'unsubscribed':
        // An operator may have had enough, as take() has; those behind it go on with what they got.
        stopDelivery(partitions);
        await Promise.all([
          this.drains.done(partitions, deadline),
          this.askBeforeRevoke(partitions, deadline),
        ]);
        return;
      case 'completed':
        stopDelivery(partitions);
        await Promise.all([
          this.whileItProgresses(partitions, timeoutMs),
          this.askBeforeRevoke(partitions, deadline),
        ]);
    }
  }

  /** Runs the user's `beforeRevoke`, if there is one, and waits for it. */
  private async askBeforeRevoke(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<void> {
    const { beforeRevoke } = this.context.options;
    if (beforeRevoke === undefined || partitions.length === 0) return;
    const asked = this.callbacks.call('beforeRevoke', () =>
      beforeRevoke(partitions.map(plainPartition)),
    );
    await this.drains.called(asked, deadline);
  }

  /** All was delivered: as long as records are being acked there is no hurry. */
  private async whileItProgresses(
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
  ): Promise<void> {
    const { clock } = this.context;
    for (
      let before = -1, now = countAcked(partitions);
      now !== before;
      now = countAcked(partitions)
    ) {
      before = now;
      await this.drains.done(partitions, Math.min(clock.monotonic() + timeoutMs, this.latest));
      if (partitions.every(({ isDrained }) => isDrained)) return;
      if (clock.monotonic() >= this.latest) return;
    }
  }
}

function stopDelivery(partitions: readonly AssignedPartition[]): void {
  for (const partition of partitions) partition.stopDelivery();
}

function countAcked(partitions: readonly AssignedPartition[]): number {
  return partitions.reduce((sum, { recordsAcked }) => sum + recordsAcked, 0);
}
