import { from, Observable, type ObservableInput, Subscription } from 'rxjs';
import type { Transaction } from './transaction.js';

/**
 * The stream of one transaction. Hand-written, because its ends are asynchronous: an error is told
 * after the abort, completion after the commit.
 */
export function runTransaction<K, V, R>(
  begin: () => Promise<Transaction<K, V>>,
  project: (txn: Transaction<K, V>) => ObservableInput<R>,
): Observable<R> {
  return new Observable<R>((subscriber) => {
    const inner = new Subscription();
    let txn: Transaction<K, V> | undefined;
    const fail = (error: unknown) => {
      // That the producer can't go on matters more than what went wrong in the transaction.
      void txn?.abort().then(
        () => subscriber.error(error),
        (failure: unknown) => subscriber.error(failure),
      );
    };
    const commit = () => {
      txn!.commit().then(() => subscriber.complete(), fail);
    };
    const start = () => {
      try {
        const result = from(project(txn!));
        inner.add(
          result.subscribe({
            next: (value) => subscriber.next(value),
            error: fail,
            complete: commit,
          }),
        );
      } catch (error) {
        fail(error);
      }
    };
    begin().then(
      (begun) => {
        txn = begun;
        if (subscriber.closed) void begun.abort().catch(() => undefined);
        else start();
      },
      (error: unknown) => subscriber.error(error),
    );
    return () => {
      inner.unsubscribe();
      if (txn?.isOpen === true) void txn.abort().catch(() => undefined);
    };
  });
}
