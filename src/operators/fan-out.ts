import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import { Parts, type ConsumerRecord } from '../core/consumer/index.js';
import { Branches } from './passing/branches.js';
import { observe } from './passing/observe.js';

type Pipeline<K, V, R> = OperatorFunction<ConsumerRecord<K, V>, R>;

/**
 * Gives each record to several pipelines, and emits what comes out of them. It is acked when all of
 * them have acked it.
 *
 * ```
 * source                 -a--b------
 * one                    -A--B------
 * other                  ---X--Y----
 * fanOut(one, other)     -A-XB-Y----
 * acked                  ---a--b----
 * ```
 *
 * Each pipeline gets records of its own: `ack()`, `nack()` and `derive()` in one say nothing for the
 * others. RxJS's `share()` and `connect()` would ack with the fastest.
 *
 * **Guarantees.** Order is kept in each pipeline. None waits for another, until the consumer's window
 * is full of what the slowest has not acked. When one nacks a record, or gives it back, it is
 * delivered to all again, after all are done with it. A pipeline that has unsubscribed, as with
 * `take()`, is not asked any more; when all have, the source is unsubscribed.
 *
 * **Errors.** What a pipeline errors with ends the stream and the other pipelines.
 *
 * @example
 * orders.pipe(
 *   fanOut(
 *     processEach((order) => charge(order.value)),
 *     (records) => records.pipe(map((order) => order.derive({ topic: 'audit' })), toTopic(kafka, 'audit')),
 *   ),
 * ).subscribe();
 */
export function fanOut<K, V, A>(a: Pipeline<K, V, A>): Pipeline<K, V, A>;
export function fanOut<K, V, A, B>(
  a: Pipeline<K, V, A>,
  b: Pipeline<K, V, B>,
): Pipeline<K, V, A | B>;
export function fanOut<K, V, A, B, C>(
  a: Pipeline<K, V, A>,
  b: Pipeline<K, V, B>,
  c: Pipeline<K, V, C>,
): Pipeline<K, V, A | B | C>;
export function fanOut<K, V, A, B, C, D>(
  a: Pipeline<K, V, A>,
  b: Pipeline<K, V, B>,
  c: Pipeline<K, V, C>,
  d: Pipeline<K, V, D>,
): Pipeline<K, V, A | B | C | D>;
export function fanOut<K, V, R>(...pipelines: readonly Pipeline<K, V, R>[]): Pipeline<K, V, R>;
export function fanOut<K, V, R>(...pipelines: readonly Pipeline<K, V, R>[]): Pipeline<K, V, R> {
  return (source) =>
    new Observable<R>((subscriber) => {
      const branches = new Branches<ConsumerRecord<K, V>>(pipelines.length);
      connect(pipelines, branches, subscriber);
      observe(source, subscriber, {
        next: (record) => divide(record, branches),
        get hasEnough() {
          return !branches.isObserved;
        },
        complete: () => branches.complete(),
      });
    });
}

/** Subscribes to the pipelines before there are records. */
function connect<K, V, R>(
  pipelines: readonly Pipeline<K, V, R>[],
  branches: Branches<ConsumerRecord<K, V>>,
  subscriber: Subscriber<R>,
): void {
  let open = pipelines.length;
  if (open === 0) subscriber.complete();
  for (const [i, pipeline] of pipelines.entries()) {
    if (subscriber.closed) return;
    const subscription = pipeline(branches.all[i]!.values).subscribe({
      next: (value) => subscriber.next(value),
      error: (error) => subscriber.error(error),
      complete() {
        if (--open === 0) subscriber.complete();
      },
    });
    subscriber.add(subscription);
  }
}

function divide<K, V>(
  record: ConsumerRecord<K, V>,
  branches: Branches<ConsumerRecord<K, V>>,
): void {
  record.takeOver();
  const parts = new Parts(record);
  const { isAutoAck } = record.pipeline.host;
  for (const branch of branches.all) {
    if (!branch.isObserved) continue;
    const part = parts.share();
    branch.next(part);
    record.followed(part);
    if (isAutoAck) part.ackUnlessTaken();
  }
  parts.ack();
}
