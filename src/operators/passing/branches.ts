import { Observable, type Subscriber } from 'rxjs';

/** Streams that are fed side by side: as many Subjects, at half the cost a record. */
export class Branches<T> {
  readonly all: readonly Branch<T>[];
  /** How many of them somebody listens to. */
  private observed = 0;

  constructor(count: number) {
    const onObserved = (change: 1 | -1) => (this.observed += change);
    this.all = Array.from({ length: count }, () => new Branch<T>(onObserved));
  }

  get isObserved(): boolean {
    return this.observed > 0;
  }

  complete(): void {
    for (const branch of this.all) branch.complete();
  }
}

/** One of them. It does not error: what the source errors with ends whoever listens another way. */
export class Branch<T> {
  readonly values: Observable<T>;
  /** Another list with each change: whoever comes or goes while it is read changes nothing of it. */
  private subscribers: readonly Subscriber<T>[] = [];
  private isComplete = false;

  constructor(private readonly onObserved: (change: 1 | -1) => void) {
    this.values = new Observable((subscriber) => {
      if (this.isComplete) {
        subscriber.complete();
        return undefined;
      }
      if (!this.isObserved) this.onObserved(1);
      this.subscribers = [...this.subscribers, subscriber];
      return () => this.remove(subscriber);
    });
  }

  get isObserved(): boolean {
    return this.subscribers.length > 0;
  }

  next(value: T): void {
    for (const subscriber of this.subscribers) subscriber.next(value);
  }

  complete(): void {
    this.isComplete = true;
    for (const subscriber of this.subscribers) subscriber.complete();
  }

  private remove(subscriber: Subscriber<T>): void {
    this.subscribers = this.subscribers.filter((other) => other !== subscriber);
    if (!this.isObserved) this.onObserved(-1);
  }
}
