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
 * `take()`, is not asked any more, and what comes meanwhile is acked when it has completed; when all
 * have, the source is unsubscribed.
 *
 * **Errors.** What a pipeline errors with ends the stream and the other pipelines.
 *
 * @example
 * orders.pipe(
 *   fanOut(
 *     processEach((order) => charge(order.value)),
 *     (records) => records.pipe(map((order) => order.derive()), toTopic(kafka, 'audit', { valueSerializer: json() })),
 *   ),
 * ).subscribe();
 * @see tee
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
      const undecided = pipelines.map(() => new Undecided<K, V>());
      connect(pipelines, branches, undecided, subscriber);
      observe(source, subscriber, {
        next: (record) => divide(record, branches, undecided),
        get hasEnough() {
          return !branches.isObserved;
        },
        complete: () => branches.complete(),
        stop() {
          for (const each of undecided) each.stop();
        },
      });
    });
}

/**
 * Parts for a pipeline that takes no more and has not ended yet. It may have had enough; or it has
 * failed, as a sink that tells so after what else is on its way, and then they must not be acked.
 */
class Undecided<K, V> {
  private parts: ConsumerRecord<K, V>[] = [];
  /** The pipeline had enough. */
  isOver = false;
  private isStopped = false;

  add(part: ConsumerRecord<K, V>): void {
    part.takeOver();
    if (this.isStopped) part.giveBack();
    else this.parts.push(part);
  }

  complete(): void {
    this.isOver = true;
    for (const part of this.parts.splice(0)) part.ack();
  }

  stop(): void {
    this.isStopped = true;
    for (const part of this.parts.splice(0)) part.giveBack();
  }
}

/** Subscribes to the pipelines before there are records. */
function connect<K, V, R>(
  pipelines: readonly Pipeline<K, V, R>[],
  branches: Branches<ConsumerRecord<K, V>>,
  undecided: readonly Undecided<K, V>[],
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
        undecided[i]!.complete();
        if (--open === 0) subscriber.complete();
      },
    });
    subscriber.add(subscription);
  }
}

function divide<K, V>(
  record: ConsumerRecord<K, V>,
  branches: Branches<ConsumerRecord<K, V>>,
  undecided: readonly Undecided<K, V>[],
): void {
  record.takeOver();
  const parts = new Parts(record);
  const { isAutoAck } = record.pipeline.host;
  for (const [i, branch] of branches.all.entries()) {
    if (!branch.isObserved && undecided[i]!.isOver) continue;
    const part = parts.share();
    if (branch.isObserved) branch.next(part);
    else undecided[i]!.add(part);
    record.followed(part);
    if (isAutoAck) part.ackUnlessTaken();
  }
  parts.ack();
}
