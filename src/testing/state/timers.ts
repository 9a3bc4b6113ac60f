import type { Cancel, Clock } from '../../core/util/clock.js';

/** Alarms by name: setting one again moves it. */
export class Timers {
  private readonly alarms = new Map<string, Cancel>();

  constructor(private readonly clock: Clock) {}

  /** Calls `task` once after `delayMs`, unless the alarm is set again or cancelled before. */
  set(name: string, delayMs: number, task: () => void): void {
    this.cancel(name);
    const cancel = this.clock.schedule(delayMs, () => {
      this.alarms.delete(name);
      task();
    });
    this.alarms.set(name, cancel);
  }

  /** As {@link Timers.set}, but leaves an alarm of that name alone. */
  setIfUnset(name: string, delayMs: number, task: () => void): void {
    if (!this.alarms.has(name)) this.set(name, delayMs, task);
  }

  cancel(name: string): void {
    this.alarms.get(name)?.();
    this.alarms.delete(name);
  }

  cancelAll(): void {
    for (const cancel of this.alarms.values()) cancel();
    this.alarms.clear();
  }
}
