import { Observable, type Subscriber } from 'rxjs';

/**
 * The records of one attempt at a transaction: whoever subscribes gets all of them in order, those
 * that there are and those that join. Most are there when `project` subscribes, so they are kept in
 * one array, and nothing is done for each as it comes.
 */
export class AttemptRecords<T> {
  private readonly records: T[] = [];
  private listeners: readonly Subscriber<T>[] = [];
  private isClosed = false;

  readonly all = new Observable<T>((subscriber) => {
    // What joins meanwhile is at the end of the same array.
    for (const record of this.records) {
      if (subscriber.closed) return;
      subscriber.next(record);
    }
    if (this.isClosed) {
      subscriber.complete();
      return;
    }
    this.listeners = [...this.listeners, subscriber];
    subscriber.add(() => {
      this.listeners = this.listeners.filter((each) => each !== subscriber);
    });
  });

  add(record: T): void {
    this.records.push(record);
    for (const listener of this.listeners) listener.next(record);
  }

  /** No more records join. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const listener of this.listeners) listener.complete();
  }
}
