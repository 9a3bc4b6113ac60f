import {
  delay,
  EMPTY,
  from,
  map,
  NEVER,
  Observable,
  of,
  range,
  Subject,
  take,
  throwError,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, ofType } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';

type Event =
  | { readonly type: 'opened'; readonly door: number }
  | { readonly type: 'closed'; readonly door: number }
  | { readonly type: 'rang' };

const events: readonly Event[] = [
  { type: 'rang' },
  { type: 'opened', door: 1 },
  { type: 'closed', door: 1 },
];

const typesOf = (...types: Event['type'][]) => {
  const seen: string[] = [];
  from(events)
    .pipe(ofType(...types))
    .subscribe(({ type }) => seen.push(type));
  return seen;
};

describe('ofType', () => {
  test('lets events of the given types through, in order', () => {
    expect(typesOf('closed', 'rang')).toEqual(['rang', 'closed']);
    expect(typesOf('opened')).toEqual(['opened']);
  });

  test('lets nothing through where no type is given', () => {
    expect(typesOf()).toEqual([]);
  });

  test('never, empty and failing sources stay what they are', () => {
    const seen: string[] = [];
    const note = (name: string) => ({
      complete: () => seen.push(`${name} complete`),
      error: () => seen.push(`${name} error`),
    });
    NEVER.pipe(ofType()).subscribe(note('never'));
    EMPTY.pipe(ofType()).subscribe(note('empty'));
    throwError(() => new Error('gone'))
      .pipe(ofType())
      .subscribe(note('failing'));
    expect(seen).toEqual(['empty complete', 'failing error']);
  });

  test('what is no event ends the stream', () => {
    let told: unknown;
    of(undefined as unknown as Event)
      .pipe(ofType('rang'))
      .subscribe({ error: (error: unknown) => (told = error) });
    expect(told).toBeInstanceOf(TypeError);
  });

  test('an endless, synchronous source ends where enough was taken', () => {
    const doors: number[] = [];
    range(0, Infinity)
      .pipe(
        map((door): Event => ({ type: door % 2 === 0 ? 'opened' : 'closed', door })),
        ofType('closed'),
        take(2),
      )
      .subscribe(({ door }) => doors.push(door));
    expect(doors).toEqual([1, 3]);
  });

  test('unsubscribing ends the source', () => {
    const source = new Subject<Event>();
    source.pipe(ofType('rang')).subscribe().unsubscribe();
    expect(source.observed).toBe(false);
  });

  test('is subscribed to once for each subscriber', () => {
    let subscriptions = 0;
    const rings = new Observable<Event>((subscriber) => {
      subscriptions++;
      subscriber.next({ type: 'rang' });
    }).pipe(ofType('rang'));
    const seen: string[] = [];
    for (let i = 0; i < 2; i++) rings.subscribe(({ type }) => seen.push(type));
    expect([subscriptions, seen]).toEqual([2, ['rang', 'rang']]);
  });

  test(
    'hears of a rebalance in the middle of a record, and of a commit that fails, when they happen',
    kafkaMarbles(({ records, lifecycle, lifecycleOf, expectOutput, expectAcks }) => {
      const orders = records('-a-b-----', undefined, { drainTimeoutMs: 9 });
      lifecycle(orders, '     F---R-----A');
      const types = lifecycleOf(orders).pipe(
        ofType('draining', 'revoked', 'commit-failed'),
        map(({ type }) => type.charAt(0)),
      );
      expectOutput(types).toBe('                      ----dc-r');
      expectOutput(orders.pipe(delay(4), ackEach())).toBe('-----a-b');
      expectAcks(orders).toBe('                       -----a-b');
    }),
  );
});
