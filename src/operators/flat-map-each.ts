import { Observable, type OperatorFunction } from 'rxjs';
import { Parts, type ConsumerRecord, type DerivedRecord } from '../core/consumer/index.js';
import { originsOf } from '../core/records/index.js';
import { BriefMap } from '../core/util/brief-map.js';
import { checkIsFunction, resolveOptions } from '../core/util/options.js';
import { NO_RETRY } from './processing/failure-policy.js';
import type { LaneOrder } from './processing/lanes.js';
import { observe } from './passing/observe.js';
import { laneRules } from './processing/process-options.js';
import { Processing, type ProcessContext, type Treatment } from './processing/processing.js';
import type { WorkResult } from './processing/work.js';

/** How {@link flatMapEach} works on several records. */
export interface FlatMapEachOptions {
  /** How many records are worked on at once. Default 1. */
  readonly concurrency?: number;
  /** What is kept in order: as for `processEach`. Default `'partition'`. */
  readonly order?: LaneOrder;
}

/** What comes out for a result: itself if it was derived, else a record with it as its value. */
export type FlatMapped<K, R> = R extends DerivedRecord ? R : ConsumerRecord<K, R>;

/**
 * Makes any number of results of each record. Each value becomes a record of its own; each record that
 * `project` derives is passed on as it is. The origin is acked when all of them are.
 *
 * ```
 * source                           -a-----b-----c--
 * flatMapEach(x => [x1, x2])       -(12)--(12)--(12)
 * acked: results                   ---1-2---1-2---
 * acked: origin                    -----a-----b---
 * ```
 *
 * **Guarantees.** The origin stays unacked until `project`'s result has completed and everything that
 * came out of it is acked; where nothing came out, it is acked at once. When one result is nacked, or
 * goes back, the whole origin is delivered again, after work on the others is over. Order and memory
 * are as in `processEach`. A result that is dropped on the way keeps its origin unacked:
 * {@link filterEach} acks it. Unsubscribing ends what is under way, promises included, and its records go
 * back; where the callback itself ends the stream, what returns nothing is done, and acked.
 *
 * **Errors.** What `project` throws, or its result errors with, ends the stream; the record goes back.
 *
 * @example
 * orders.pipe(
 *   flatMapEach((order) => [order.derive({ topic: 'invoices' }), order.derive({ topic: 'parcels' })]),
 *   toTopic(kafka, (record) => record.topic, { valueSerializer: json() }),
 * ).subscribe();
 * @see processEach
 * @see mapEach
 */
export function flatMapEach<K, V, R>(
  project: (record: ConsumerRecord<K, V>, context: ProcessContext) => WorkResult<R>,
  options: FlatMapEachOptions = {},
): OperatorFunction<ConsumerRecord<K, V>, FlatMapped<K, R>> {
  checkIsFunction('flatMapEach', 'project', project);
  const lanes = resolveOptions('flatMapEach', laneRules, options);
  const checked = { ...lanes, retry: NO_RETRY, onError: 'fail' } as const;
  return (source) =>
    new Observable<FlatMapped<K, R>>((subscriber) => {
      const treatment = new Dividing<K, V, R>(project);
      observe(source, subscriber, new Processing(treatment, checked, subscriber));
    });
}

/** Counts what comes out of each record. */
class Dividing<K, V, R> implements Treatment<ConsumerRecord<K, V>, R, FlatMapped<K, R>> {
  private readonly inWork = new BriefMap<ConsumerRecord<K, V>, Parts<K, V>>();

  constructor(
    private readonly project: (
      record: ConsumerRecord<K, V>,
      context: ProcessContext,
    ) => WorkResult<R>,
  ) {}

  start(record: ConsumerRecord<K, V>, context: ProcessContext): WorkResult<R> {
    const parts = new Parts(record);
    this.inWork.add(record, parts);
    return this.project(parts.whole, context);
  }

  emit(
    record: ConsumerRecord<K, V>,
    value: R,
    subscriber: { next(value: FlatMapped<K, R>): void },
  ): void {
    const parts = this.inWork.get(record)!;
    const origins = originsOf(value);
    if (origins.length > 0) {
      parts.cameOut(origins);
      subscriber.next(value as FlatMapped<K, R>);
      return;
    }
    const part = parts.divide(value);
    subscriber.next(part as FlatMapped<K, R>);
    record.followed(part);
    if (record.pipeline.host.isAutoAck) part.ackUnlessTaken();
  }

  done(record: ConsumerRecord<K, V>): void {
    this.inWork.take(record)!.ack();
  }

  /** Nobody has seen what came out last. */
  doneUnheard(record: ConsumerRecord<K, V>): void {
    this.abandon(record);
  }

  abandon(record: ConsumerRecord<K, V>): void {
    const parts = this.inWork.take(record);
    // One that was not started has no parts.
    if (parts === undefined) record.giveBack();
    else parts.withdraw();
  }

  failUnheard(record: ConsumerRecord<K, V>, error: unknown): void {
    this.inWork.take(record);
    record.failUnheard(error);
  }
}
