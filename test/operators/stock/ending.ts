/* eslint-disable @typescript-eslint/no-deprecated -- what is deprecated is in the table as well */
import { delay, EMPTY, timer } from 'rxjs';
import * as stock from 'rxjs/operators';
import type { ConsumerRecord } from '../../../src/index.js';
import { ack, alike, isNot, isOneOf, textOf, type StockEffect } from './stock-operator.js';

/** What ends a subscription, and what begins another. */
export const ending: readonly StockEffect[] = [
  {
    effect:
      'The consumer leaves once what was let through is acked; it is awaited up to `drainTimeoutMs`, ' +
      'and committed. Everything else is delivered to whoever comes next.',
    instead: '`untilOffsets`, `untilCaughtUp`',
    operators: [
      ...alike('-a-b', 'cd', {
        take: (s) => s.pipe(stock.take(2), ack),
        takeUntil: (s) => s.pipe(stock.takeUntil(timer(4)), ack),
      }),
      ...alike('-a', 'bcd', { first: (s) => s.pipe(stock.first(), ack) }),
    ],
  },
  {
    effect:
      'As `take`, but for what they have dropped: it was delivered and nobody acks it, so commits stop ' +
      'before it, and the consumer leaves only when `drainTimeoutMs` are over.',
    instead:
      '`untilOffsets`, `untilCaughtUp`; or `takeWhile` that lets the last one through (`true`)',
    operators: [
      ...alike('-a-b', 'cd', { takeWhile: (s) => s.pipe(stock.takeWhile(isNot('c')), ack) }),
      ...alike('---b', 'abcd', {
        elementAt: (s) => s.pipe(stock.elementAt(1), ack),
        find: (s) => s.pipe(stock.find(isOneOf('b')), stock.filter(isThere), ack),
      }),
    ],
  },
  {
    effect:
      'The consumer leaves when time is up, having committed what was acked; what was not is delivered ' +
      'to whoever comes next. A topic without news times out, too.',
    instead: '`processEach` with its signal, and `timeout` on the work inside',
    operators: alike(
      '-a-b',
      'c',
      {
        timeout: (s) => s.pipe(stock.timeout(3), ack),
        timeoutWith: (s) => s.pipe(stock.timeoutWith(3, EMPTY), ack),
      },
      '-a-b------c-|',
    ),
  },
  {
    effect:
      'The error has ended the consumer, which has committed what was acked. What takes its place is no ' +
      'consumer: everything else is delivered to whoever comes next. A record that was in hand when it ' +
      'failed, and that nobody acks or gives back, is waited for up to `drainTimeoutMs`.',
    instead: '`processEach` with `onError`, `deadLetter`',
    operators: alike(
      '-a',
      'bcd',
      {
        catchError: (s) =>
          s.pipe(
            failingAt('b', Infinity),
            stock.catchError(() => EMPTY),
            ack,
          ),
      },
      '-a-b-c-d-|',
    ),
  },
  {
    effect:
      'A new subscription begins when the old one has committed and left, and is given everything that ' +
      'was not acked, not only what failed. A record that was in hand when it failed, and that nobody ' +
      'acks or gives back, is waited for up to `drainTimeoutMs`.',
    instead: '`retryEach`, `processEach` with `retry`',
    operators: [
      ...alike('-a------(bcd)', '', {
        retry: (s) => s.pipe(failingAt('b', 1), stock.retry(1), ack),
        retryWhen: (s) => s.pipe(failingAt('b', 1), stock.retryWhen(delay(1)), ack),
      }),
      ...alike('-a-b-c-d', '', { repeat: (s) => s.pipe(stock.take(2), stock.repeat(2), ack) }),
      ...alike('-a--b--c--d', '', {
        repeatWhen: (s) => s.pipe(stock.take(1), stock.repeatWhen(delay(3)), ack),
      }),
    ],
  },
];

function isThere(record: ConsumerRecord | undefined): record is ConsumerRecord {
  return record !== undefined;
}

/** Throws so many times when it is given a record. */
function failingAt(letter: string, times: number) {
  let left = times;
  return stock.map((record: ConsumerRecord) => {
    if (textOf(record) === letter && left-- > 0) throw new Error('failed');
    return record;
  });
}
