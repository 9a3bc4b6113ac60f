/* eslint-disable @typescript-eslint/no-deprecated -- what is deprecated is in the table as well */
import { of, timer } from 'rxjs';
import * as stock from 'rxjs/operators';
import type { ConsumerRecord } from '../../../src/index.js';
import {
  ack,
  ackAll,
  ackFirst,
  alike,
  textOf,
  type Orders,
  type StockEffect,
} from './stock-operator.js';

const byText = (a: ConsumerRecord, b: ConsumerRecord) => textOf(a).localeCompare(textOf(b));

/** What makes one of several records, or waits for their end. */
export const gathering: readonly StockEffect[] = [
  {
    effect:
      'Records are held back until the buffer is complete, and acked when you ack each of them. A ' +
      'buffer that needs more records than the window holds is never complete: the partition stalls. ' +
      'On a revoke the buffer is not let go: the revoke waits, up to `drainTimeoutMs`.',
    instead: '`batchEach`, which lets go when nothing more can come',
    operators: [
      ...alike('----(ab)(cd)', '', {
        buffer: (s, t) => s.pipe(stock.buffer(t.cold('----x---x')), ackAll),
        bufferTime: (s) => s.pipe(stock.bufferTime(4), ackAll),
        bufferWhen: (s) =>
          s.pipe(
            stock.bufferWhen(() => timer(4)),
            ackAll,
          ),
      }),
      ...alike('---(ab)(cd)', '', { bufferCount: (s) => s.pipe(stock.bufferCount(2), ackAll) }),
    ],
  },
  {
    effect: 'As other buffers; what comes while none is open is dropped and never acked.',
    instead: '`batchEach`',
    operators: alike('----(ab)', 'cd', {
      bufferToggle: (s, t) =>
        s.pipe(
          stock.bufferToggle(t.cold('x'), () => timer(4)),
          ackAll,
        ),
    }),
  },
  {
    effect:
      'All records are held back until the stream ends, which a topic does not: for bounded sources of ' +
      'fewer records than the window holds.',
    instead: '`batchEach`, `aggregateEach`',
    operators: alike('---------(abcd)', '', {
      toArray: (s) => s.pipe(stock.toArray(), ackAll),
      reduce: (s) =>
        s.pipe(
          stock.reduce((all: ConsumerRecord[], record) => [...all, record], []),
          ackAll,
        ),
      combineLatestAll: (s) =>
        s.pipe(
          stock.map((record) => of(record)),
          stock.combineLatestAll(),
          ackAll,
        ),
      combineAll: (s) =>
        s.pipe(
          stock.map((record) => of(record)),
          stock.combineAll(),
          ackAll,
        ),
      zipAll: (s) =>
        s.pipe(
          stock.map((record) => of(record)),
          stock.zipAll(),
          ackAll,
        ),
    }),
  },
  {
    effect:
      'Only what is left when the stream ends comes out; everything else is never acked. A topic does ' +
      'not end.',
    instead: '`aggregateEach`',
    operators: [
      ...alike('---------d', 'abcd', {
        last: (s) => s.pipe(stock.last(), ack),
        max: (s) => s.pipe(stock.max(byText), ack),
        publishLast: (s) =>
          (stock.refCount<ConsumerRecord>()(stock.publishLast<ConsumerRecord>()(s)) as Orders).pipe(
            ack,
          ),
      }),
      ...alike('---------a', 'bcd', { min: (s) => s.pipe(stock.min(byText), ack) }),
      ...alike('---------(cd)', 'abcd', { takeLast: (s) => s.pipe(stock.takeLast(2), ack) }),
      ...alike('---------b', 'abcd', {
        single: (s) =>
          s.pipe(
            stock.single((record) => textOf(record) === 'b'),
            ack,
          ),
      }),
    ],
  },
  {
    effect: 'What the accumulator keeps can be acked; what it forgets can’t.',
    instead: '`aggregateEach`',
    operators: alike('-a-b-c-d', '', {
      scan: (s) =>
        s.pipe(
          stock.scan((_, record) => record),
          ack,
        ),
    }),
  },
  {
    effect:
      'Each record comes twice, but the first and the last: ack the first of each pair. The latest stays ' +
      'unacked until the next one comes.',
    instead: '`aggregateEach`',
    operators: alike('---a-b-c', 'd', { pairwise: (s) => ackFirst(s.pipe(stock.pairwise())) }),
  },
  {
    effect:
      'A record waits for its partner, and is never acked when none comes. What waits is bounded by ' +
      'the window.',
    instead: '',
    operators: alike('-a-b', 'cd', {
      zip: (s, t) => ackFirst(s.pipe(stock.zip(t.cold('xy-')))),
      zipWith: (s, t) => ackFirst(s.pipe(stock.zipWith(t.cold('xy-')))),
    }),
  },
];
