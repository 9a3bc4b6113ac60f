/* eslint-disable @typescript-eslint/no-deprecated -- what is deprecated is in the table as well */
import {
  asyncScheduler,
  EMPTY,
  filter,
  merge,
  NEVER,
  of,
  onErrorResumeNextWith,
  Subject,
  timer,
  type Observable,
} from 'rxjs';
import * as stock from 'rxjs/operators';
import { ConsumerRecord } from '../../../src/index.js';
import {
  ack,
  ackInner,
  after,
  alike,
  textOf,
  type Orders,
  type StockEffect,
} from './stock-operator.js';

const isRecord = (value: unknown): value is ConsumerRecord => value instanceof ConsumerRecord;

/** What lets every record through. */
export const passing: readonly StockEffect[] = [
  {
    effect: 'Every record goes through, and is acked when you ack it.',
    instead: '',
    operators: alike('-a-b-c-d', '', {
      map: (s) =>
        s.pipe(
          stock.map((record) => record),
          ack,
        ),
      tap: (s) => s.pipe(stock.tap(), ack),
      finalize: (s) =>
        s.pipe(
          stock.finalize(() => undefined),
          ack,
        ),
      startWith: (s) => s.pipe(stock.startWith('first'), filter(isRecord), ack),
      endWith: (s) => s.pipe(stock.endWith('last'), filter(isRecord), ack),
      defaultIfEmpty: (s) => s.pipe(stock.defaultIfEmpty('none'), filter(isRecord), ack),
      throwIfEmpty: (s) => s.pipe(stock.throwIfEmpty(), ack),
      materialize: (s) =>
        s.pipe(
          stock.materialize(),
          stock.map(({ value }) => value),
          filter(isRecord),
          ack,
        ),
      dematerialize: (s) => s.pipe(stock.materialize(), stock.dematerialize(), ack),
      timestamp: (s) =>
        s.pipe(
          stock.timestamp(),
          stock.map(({ value }) => value),
          ack,
        ),
      timeInterval: (s) =>
        s.pipe(
          stock.timeInterval(),
          stock.map(({ value }) => value),
          ack,
        ),
      subscribeOn: (s) => s.pipe(stock.subscribeOn(asyncScheduler), ack),
      merge: (s) => s.pipe(stock.merge(NEVER), ack),
      mergeWith: (s) => s.pipe(stock.mergeWith(NEVER), ack),
      concat: (s) => s.pipe(stock.concat(NEVER), ack),
      concatWith: (s) => s.pipe(stock.concatWith(NEVER), ack),
      onErrorResumeNext: (s) => s.pipe(stock.onErrorResumeNext(NEVER), ack),
      onErrorResumeNextWith: (s) => s.pipe(onErrorResumeNextWith(NEVER), ack),
    }),
  },
  {
    effect:
      'Every record goes through, later. What waits inside is not given back when its partition is ' +
      'revoked: the revoke waits for it, up to `drainTimeoutMs`.',
    instead: '`processEach`',
    operators: alike('--a-b-c-d', '', {
      concatMap: (s) => s.pipe(stock.concatMap(after(1)), ack),
      mergeMap: (s) => s.pipe(stock.mergeMap(after(1)), ack),
      flatMap: (s) => s.pipe(stock.flatMap(after(1)), ack),
      concatAll: (s) => s.pipe(stock.map(after(1)), stock.concatAll(), ack),
      mergeAll: (s) => s.pipe(stock.map(after(1)), stock.mergeAll(), ack),
      expand: (s) =>
        s.pipe(
          stock.expand(() => EMPTY),
          stock.delay(1),
          ack,
        ),
      mergeScan: (s) =>
        s.pipe(
          stock.mergeScan((_: ConsumerRecord | undefined, record) => after(1)(record), undefined),
          filter(isRecord),
          ack,
        ),
      delay: (s) => s.pipe(stock.delay(1), ack),
      delayWhen: (s) =>
        s.pipe(
          stock.delayWhen(() => timer(1)),
          ack,
        ),
      observeOn: (s) => s.pipe(stock.observeOn(asyncScheduler, 1), ack),
    }),
  },
  {
    effect:
      'Every record goes through, in one of the inner streams. What is in an inner stream that nobody ' +
      'subscribes to is never acked.',
    instead: '`processEach` with `order`, `processPartitioned`, `batchEach`',
    operators: alike('-a-b-c-d', '', {
      groupBy: (s) => ackInner(s.pipe(stock.groupBy(textOf))),
      window: (s, t) => ackInner(s.pipe(stock.window(t.cold('----x---x')))),
      windowCount: (s) => ackInner(s.pipe(stock.windowCount(2))),
      windowTime: (s) => ackInner(s.pipe(stock.windowTime(4))),
      windowWhen: (s) => ackInner(s.pipe(stock.windowWhen(() => timer(4)))),
    }),
  },
  {
    effect: 'As other windows; what comes while none is open is dropped and never acked.',
    instead: '`batchEach`',
    operators: alike('-a-b', 'cd', {
      windowToggle: (s, t) => ackInner(s.pipe(stock.windowToggle(t.cold('x'), () => timer(4)))),
    }),
  },
  {
    effect:
      'All records go through or none: if another stream is first, the consumer is unsubscribed.',
    instead: '',
    operators: [
      ...alike('-a-b-c-d', '', {
        raceWith: (s) => s.pipe(stock.raceWith(timer(3)), filter(isRecord), ack),
      }),
      ...alike('', 'abcd', { race: (s) => s.pipe(stock.race(of('first')), filter(isRecord), ack) }),
    ],
  },
  {
    effect:
      'All subscribers get the same record, and the first of them that acks it acks it for all, though ' +
      'the others may not be done.',
    instead: '`fanOut`',
    operators: alike('-a-b-c-d', '', {
      share: (s) => twice(s.pipe(stock.share())),
      shareReplay: (s) => twice(s.pipe(stock.shareReplay({ bufferSize: 1, refCount: true }))),
      connect: (s) => s.pipe(stock.connect((shared) => twice(shared))),
      publish: (s) => s.pipe(stock.publish((shared) => twice(shared))),
      publishReplay: (s) => s.pipe(stock.publishReplay(1, undefined, (shared) => twice(shared))),
      publishBehavior: (s) =>
        twice(refCounted(s.pipe(stock.publishBehavior<ConsumerRecord | string>('none')))),
      multicast: (s) =>
        twice(refCounted(s.pipe(stock.multicast(() => new Subject<ConsumerRecord>())))),
      refCount: (s) => twice(refCounted(s.pipe(stock.publish()))),
    }),
  },
];

/** Two subscribers, the second of which takes its time. */
function twice(shared: Orders): Observable<unknown> {
  return merge(shared.pipe(ack), shared.pipe(stock.mergeMap(after(1)), ack));
}

function refCounted(source: Observable<unknown>): Orders {
  return source.pipe(stock.refCount(), filter(isRecord));
}
