import type { Api } from '../../core/protocol/index.js';

interface Waiter {
  readonly apiKey: number;
  readonly count: number;
  readonly resolve: () => void;
}

const MAX_COMPLAINTS = 100;

/** What was asked of the brokers, and what they could make nothing of. */
export class RequestLog {
  /** Why connections were hung up on, the newest last. */
  readonly complaints: string[] = [];
  private readonly byBroker = new Map<number, Map<string, number>>();
  private readonly totals = new Map<number, number>();
  private waiters: Waiter[] = [];

  count(broker: number, { key, name }: Api): void {
    let counts = this.byBroker.get(broker);
    if (counts === undefined) this.byBroker.set(broker, (counts = new Map<string, number>()));
    counts.set(name, (counts.get(name) ?? 0) + 1);
    this.totals.set(key, this.total(key) + 1);
    if (this.waiters.length > 0) this.wake();
  }

  /** Requests of each API by name that a broker got. */
  of(broker: number): Readonly<Record<string, number>> {
    return Object.fromEntries(this.byBroker.get(broker) ?? []);
  }

  /** Requests that all brokers got. */
  total(apiKey: number): number {
    return this.totals.get(apiKey) ?? 0;
  }

  /** Resolves when an API has been called that often since the start. */
  whenTotal(apiKey: number, count: number): Promise<void> {
    if (this.total(apiKey) >= count) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ apiKey, count, resolve }));
  }

  /** Notes why a connection is hung up on. */
  complain(what: string): void {
    if (this.complaints.length === MAX_COMPLAINTS) this.complaints.shift();
    this.complaints.push(what);
  }

  private wake(): void {
    const isDue = ({ apiKey, count }: Waiter) => this.total(apiKey) >= count;
    const due = this.waiters.filter(isDue);
    this.waiters = this.waiters.filter((waiter) => !isDue(waiter));
    for (const { resolve } of due) resolve();
  }
}
