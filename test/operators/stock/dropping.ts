/* eslint-disable @typescript-eslint/no-deprecated -- what is deprecated is in the table as well */
import { interval, of, timer } from 'rxjs';
import * as stock from 'rxjs/operators';
import {
  ack,
  ackFirst,
  after,
  alike,
  isNot,
  isOneOf,
  textOf,
  type Orders,
  type StockEffect,
} from './stock-operator.js';

const isSameText = (a: unknown, b: unknown) => String(a) === String(b);

/** What lets some records go, so that commits stop before the first of them. */
export const dropping: readonly StockEffect[] = [
  {
    effect:
      'What is dropped is never acked: commits stop before the first such record, a `stalled` event ' +
      'names it, and it is delivered again after a restart.',
    instead: '`filterEach`, which acks what it drops',
    operators: [
      ...alike('-a---c-d', 'bcd', {
        filter: (s) => s.pipe(stock.filter(isNot('b')), ack),
        partition: (s) => stock.partition(isNot('b'))(s)[0].pipe(ack),
      }),
      ...alike('---b-c-d', 'abcd', {
        skip: (s) => s.pipe(stock.skip(1), ack),
        skipWhile: (s) => s.pipe(stock.skipWhile(isOneOf('a')), ack),
        skipUntil: (s) => s.pipe(stock.skipUntil(timer(2)), ack),
      }),
      ...alike('---a-b-c', 'd', { skipLast: (s) => s.pipe(stock.skipLast(1), ack) }),
      ...alike('', 'abcd', { ignoreElements: (s) => s.pipe(stock.ignoreElements()) }),
    ],
  },
  {
    effect:
      'What is taken for a repetition is dropped and never acked, whether or not the first of its kind ' +
      'was dealt with. `distinct` remembers every key for ever.',
    instead: '`dedupeEach`',
    operators: [
      ...alike(
        '-a-b---c',
        'ac',
        { distinct: (s) => s.pipe(stock.distinct(textOf), ack) },
        '-a-b-a-c|',
      ),
      ...alike(
        '-a---b-c',
        'abc',
        {
          distinctUntilChanged: (s) =>
            s.pipe(
              stock.distinctUntilChanged(isSameText, ({ value }) => value),
              ack,
            ),
          distinctUntilKeyChanged: (s) =>
            s.pipe(stock.distinctUntilKeyChanged('value', isSameText), ack),
        },
        '-a-a-b-c|',
      ),
    ],
  },
  {
    effect:
      'What follows another record too soon is dropped and never acked: commits stop before the first ' +
      'such record.',
    instead: '`exhaustEach`, `batchEach`, `throttleBytes`',
    operators: alike('-a---c', 'bcd', {
      throttleTime: (s) => s.pipe(stock.throttleTime(3), ack),
      throttle: (s) =>
        s.pipe(
          stock.throttle(() => timer(3)),
          ack,
        ),
    }),
  },
  {
    effect:
      'What is followed too soon by another record is dropped and never acked: commits stop before the ' +
      'first such record.',
    instead: '`switchEach`, `batchEach`, `throttleBytes`',
    operators: [
      ...alike('----b---d', 'abcd', {
        auditTime: (s) => s.pipe(stock.auditTime(3), ack),
        audit: (s) =>
          s.pipe(
            stock.audit(() => timer(3)),
            ack,
          ),
        sampleTime: (s) => s.pipe(stock.sampleTime(4), ack),
        sample: (s) => s.pipe(stock.sample(interval(4)), ack),
      }),
      ...alike(
        '------b----c',
        'abc',
        {
          debounceTime: (s) => s.pipe(stock.debounceTime(3), ack),
          debounce: (s) =>
            s.pipe(
              stock.debounce(() => timer(3)),
              ack,
            ),
        },
        '-a-b-----c-|',
      ),
    ],
  },
  {
    effect:
      'Work on a record is cancelled when the next one comes, and the record is never acked: commits ' +
      'stop before the first such record.',
    instead: '`switchEach`, which acks what was superseded',
    operators: alike('----------d', 'abcd', {
      switchMap: (s) => s.pipe(stock.switchMap(after(3)), ack),
      switchAll: (s) => s.pipe(stock.map(after(3)), stock.switchAll(), ack),
      switchScan: (s) =>
        s.pipe(
          stock.switchScan((_, record) => after(3)(record), undefined as never),
          ack,
        ),
    }),
  },
  {
    effect:
      'Records that come while another is in work are dropped and never acked: commits stop before the ' +
      'first such record.',
    instead: '`exhaustEach`',
    operators: alike('----a---c', 'bcd', {
      exhaustMap: (s) => s.pipe(stock.exhaustMap(after(3)), ack),
      exhaustAll: (s) => s.pipe(stock.map(after(3)), stock.exhaustAll(), ack),
      exhaust: (s) => s.pipe(stock.map(after(3)), stock.exhaust(), ack),
    }),
  },
  {
    effect:
      'What comes out is no record any more, so nothing behind it can ack. Nothing is committed.',
    instead: '`processEach`, `mapEach`; or `ackEach` before it',
    operators: alike('', 'abcd', {
      mapTo: (s) => s.pipe(stock.mapTo('done')),
      pluck: (s) => s.pipe(stock.pluck('value')),
      concatMapTo: (s) => s.pipe(stock.concatMapTo(of('done'))),
      mergeMapTo: (s) => s.pipe(stock.mergeMapTo(of('done'))),
      switchMapTo: (s) => s.pipe(stock.switchMapTo(of('done'))),
      count: (s) => s.pipe(stock.count()),
      every: (s) => s.pipe(stock.every(() => true)),
      isEmpty: (s) => s.pipe(stock.isEmpty()),
      findIndex: (s) => s.pipe(stock.findIndex(isOneOf('b'))),
      sequenceEqual: (s) => s.pipe(stock.sequenceEqual(of() as Orders)),
    }),
  },
  {
    effect:
      'A record is dropped and never acked when the next one comes before all other streams have ' +
      'emitted; later on, records come once for each combination.',
    instead: '`processEach` with what the other stream has emitted last, from a BehaviorSubject',
    operators: alike('------cd', 'abcd', {
      combineLatest: (s, t) => ackFirst(s.pipe(stock.combineLatest(t.cold('------x')))),
      combineLatestWith: (s, t) => ackFirst(s.pipe(stock.combineLatestWith(t.cold('------x')))),
    }),
  },
  {
    effect:
      'A record that comes before all other streams have emitted is dropped and never acked: commits ' +
      'stop before the first such record.',
    instead: '`processEach` with what the other stream has emitted last, from a BehaviorSubject',
    operators: alike('-----c-d', 'abcd', {
      withLatestFrom: (s, t) => ackFirst(s.pipe(stock.withLatestFrom(t.cold('----x')))),
    }),
  },
];
