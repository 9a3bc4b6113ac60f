import type { Cancel, Clock } from './clock.js';

/** Calls back at the earliest of the times that it was set to, once. */
export class Alarm {
  private next: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ring: () => void,
  ) {}

  /** @param at on the monotonic clock. */
  set(at: number): void {
    if (this.next !== undefined && this.next.at <= at) return;
    this.cancel();
    const delayMs = Math.max(0, Math.ceil(at - this.clock.monotonic()));
    const cancel = this.clock.schedule(delayMs, () => {
      this.next = undefined;
      this.ring();
    });
    this.next = { at, cancel };
  }

  cancel(): void {
    this.next?.cancel();
    this.next = undefined;
  }
}
