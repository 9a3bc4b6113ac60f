import type { Observable, Subscription } from 'rxjs';
import { Queue } from '../util/queue.js';
import type { ConsumerRecord } from './record/consumer-record.js';

/** Who acks what {@link iterateRecords} gives. */
export interface IterateOptions {
  /**
   * `'auto'`: a record is acked when the next is asked for. `'manual'`: by the body, which may then
   * work on several at once. Default `'auto'`.
   */
  readonly ack?: 'auto' | 'manual';
}

/**
 * Turns a stream of records into an async iterator, for `for await`.
 *
 * **Guarantees.** Order is kept. A record is acked when the next one is asked for; the last one before a
 * `break` or a `throw` is not, and goes back with what nobody has looked at. What was delivered and waits
 * here is unacked, so the window of its partition bounds it. It subscribes when the first record is asked
 * for, and unsubscribes at the end of the loop.
 *
 * **Errors.** What the source errors with, thrown where the next record is asked for.
 *
 * @example
 * for await (const order of iterate(orders.pipe(take(100)))) await charge(order.value);
 */
export function iterateRecords<K, V>(
  source: Observable<ConsumerRecord<K, V>>,
  { ack = 'auto' }: IterateOptions = {},
): AsyncIterableIterator<ConsumerRecord<K, V>> {
  return new RecordIterator(source, ack === 'auto');
}

type Result<K, V> = IteratorResult<ConsumerRecord<K, V>>;

interface Waiter<K, V> {
  readonly resolve: (result: Result<K, V>) => void;
  readonly reject: (error: unknown) => void;
}

class RecordIterator<K, V> implements AsyncIterableIterator<ConsumerRecord<K, V>> {
  private readonly ready = new Queue<ConsumerRecord<K, V>>();
  private readonly waiters = new Queue<Waiter<K, V>>();
  private subscription: Subscription | undefined;
  private ending: { readonly error: unknown } | 'complete' | undefined;
  /** What is acked when the next is asked for: several records where several were asked for at once. */
  private given: ConsumerRecord<K, V>[] = [];
  private stopListening: (() => void) | undefined;

  constructor(
    private readonly source: Observable<ConsumerRecord<K, V>>,
    private readonly isAutoAck: boolean,
  ) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result<K, V>> {
    for (const record of this.given) record.ack();
    this.given = [];
    if (this.ending === undefined) this.subscription ??= this.begin();
    const record = this.ready.shift();
    if (record !== undefined) return Promise.resolve(this.give(record));
    if (this.ending === 'complete') return Promise.resolve({ done: true, value: undefined });
    if (this.ending !== undefined) {
      const { error } = this.ending;
      this.ending = 'complete';
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  /** `break`: gives back what was not looked at; the last record stays unacked. */
  return(): Promise<Result<K, V>> {
    this.ending = 'complete';
    this.subscription?.unsubscribe();
    this.stopListening?.();
    for (let next = this.ready.shift(); next !== undefined; next = this.ready.shift()) {
      next.giveBack();
    }
    for (const record of this.given) record.giveBack();
    this.given = [];
    for (let waiter = this.waiters.shift(); waiter !== undefined; waiter = this.waiters.shift()) {
      waiter.resolve({ done: true, value: undefined });
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  private begin(): Subscription {
    return this.source.subscribe({
      next: (record) => {
        record.takeOver();
        this.stopListening ??= record.source.owner.pipeline.listen({
          onDraining: () => this.returnDraining(),
        });
        const waiter = this.waiters.shift();
        if (waiter === undefined) this.ready.push(record);
        else waiter.resolve(this.give(record));
      },
      error: (error: unknown) => {
        this.stopListening?.();
        const waiter = this.waiters.shift();
        if (waiter === undefined) this.ending = { error };
        else waiter.reject(error);
        this.endWaiters();
      },
      complete: () => {
        this.ending ??= 'complete';
        this.endWaiters();
      },
    });
  }

  /** What nobody has looked at goes back when its partition is being given up. */
  private returnDraining(): void {
    for (let left = this.ready.length; left > 0; left--) {
      const record = this.ready.shift()!;
      if (record.source.owner.isDraining) record.giveBack();
      else this.ready.push(record);
    }
  }

  private give(record: ConsumerRecord<K, V>): Result<K, V> {
    if (this.isAutoAck) this.given.push(record);
    return { done: false, value: record };
  }

  private endWaiters(): void {
    this.ending ??= 'complete';
    for (let waiter = this.waiters.shift(); waiter !== undefined; waiter = this.waiters.shift()) {
      waiter.resolve({ done: true, value: undefined });
    }
  }
}
