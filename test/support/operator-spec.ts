import {
  asyncScheduler,
  concat,
  delay,
  EMPTY,
  from,
  map,
  NEVER,
  Observable,
  observeOn,
  range,
  Subject,
  take,
  tap,
  throwError,
  type OperatorFunction,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { ConsumerRecord } from '../../src/index.js';
import { kafkaMarbles, type RecordDefinitions } from '../../src/testing/index.js';
import { settled } from './fake-clock.js';
import { TestPartition, type TestRecord } from './records.js';
import { watch } from './watching.js';

export function text(record: { readonly value: unknown }): string {
  return String(record.value);
}

/** Promises that the test settles, by what they are for. */
export class Work {
  readonly started: string[] = [];
  private readonly open = new Map<
    string,
    { resolve: (value: string) => void; reject: (error: unknown) => void }
  >();

  readonly start = (record: ConsumerRecord<unknown, unknown>): Promise<string> => {
    const name = text(record);
    this.started.push(name);
    return new Promise((resolve, reject) => this.open.set(name, { resolve, reject }));
  };

  async finish(...names: string[]): Promise<void> {
    for (const name of names) this.open.get(name)!.resolve(name.toUpperCase());
    await settled();
  }

  async fail(name: string, error: unknown): Promise<void> {
    this.open.get(name)!.reject(error);
    await settled();
  }
}

interface Basics {
  /** How many outputs are taken of an endless source. */
  readonly enough?: number;
}

/** Of two keys, one after the other. */
const drawn: RecordDefinitions = {
  a: { key: 'k' },
  b: { key: 'l' },
  c: { key: 'k' },
  d: { key: 'l' },
};

/** Acks what has come out, where it is something that can be acked. */
function settle(value: object): void {
  if ('ack' in value) (value as { ack(): void }).ack();
  else if ('record' in value) (value.record as { ack(): void }).ack();
}

/**
 * What every operator does: never, empty, one, many, errors, endless and asynchronous sources,
 * unsubscribing, subscribing twice, partitions that go, commits that fail. After each, nothing that was
 * delivered is left in hand but what came out.
 */
export function behavesLikeAnOperator(
  make: () => OperatorFunction<TestRecord, { ack(): void } | object>,
  { enough = 2 }: Basics = {},
): void {
  describe('the source', () => {
    test('never: nothing comes, and unsubscribing ends it', () => {
      let isUnsubscribed = false;
      const source = new Observable<TestRecord>(() => () => (isUnsubscribed = true));
      const seen = watch(source.pipe(make()));
      expect(seen).toMatchObject({ values: [], isComplete: false, error: undefined });
      seen.subscription.unsubscribe();
      expect(isUnsubscribed).toBe(true);
    });

    test('empty: completes', () => {
      expect(watch(EMPTY.pipe(make()))).toMatchObject({ values: [], isComplete: true });
    });

    test.each([
      ['one', 1],
      ['many', 1000],
    ])('%s: nothing is left over when what has come out is acked', (_, count) => {
      const partition = new TestPartition();
      const records = partition.deliver(...Array.from({ length: count }, (_, i) => `k${i}=${i}`));
      const seen = watch(from(records).pipe(make()), settle);
      expect(seen).toMatchObject({ isComplete: true, error: undefined });
      expect(partition.inHand).toBe(0);
      expect(partition.committable).toBe(count);
    });

    test.each([0, 1])('an error passes through, after %i records', (count) => {
      const gone = new Error('gone');
      const failing = concat(
        from(new TestPartition().deliver(...['a'].slice(0, count))),
        throwError(() => gone),
      );
      expect(watch(failing.pipe(make()))).toMatchObject({ error: gone, isComplete: false });
    });

    test('endless and synchronous: ends where enough was taken, and what is left over goes back', () => {
      const partition = new TestPartition();
      let delivered = 0;
      const source = range(0, Infinity).pipe(
        map((i) => {
          delivered++;
          return partition.deliver(`k${i}=${i}`)[0]!;
        }),
      );
      const seen = watch(source.pipe(make(), take(enough)));
      expect(seen.isComplete).toBe(true);
      expect(seen.values).toHaveLength(enough);
      expect(delivered).toBeLessThan(1000);
      for (const value of seen.values) settle(value);
      expect(partition.inHand).toBe(0);
    });

    test('asynchronous: the same comes out as of a synchronous one', async () => {
      const outcome = async (isLater: boolean) => {
        const partition = new TestPartition();
        const records = from(partition.deliver('a=1', 'b=2', 'a=3'));
        const seen = watch(
          (isLater ? records.pipe(observeOn(asyncScheduler)) : records).pipe(make()),
        );
        await expect.poll(() => seen.isComplete).toBe(true);
        return { count: seen.values.length, committable: partition.committable };
      };
      expect(await outcome(true)).toEqual(await outcome(false));
    });

    test('unsubscribing in the middle ends it, and what was not emitted goes back', () => {
      const partition = new TestPartition();
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(make()));
      for (const record of partition.deliver('a=1', 'b=2')) source.next(record);
      seen.subscription.unsubscribe();
      expect(source.observed).toBe(false);
      for (const value of seen.values) settle(value);
      expect(partition.inHand).toBe(0);
    });

    test('is subscribed to once for each subscriber, with a state of their own', () => {
      let subscriptions = 0;
      const source = new Observable<TestRecord>((subscriber) => {
        subscriptions++;
        return concat(from(new TestPartition().deliver('a=1', 'b=2')), NEVER).subscribe(subscriber);
      });
      const operated = source.pipe(make());
      const [first, second] = [watch(operated), watch(operated)];
      expect(second.values).toHaveLength(first.values.length);
      expect(subscriptions).toBe(2);
      for (const { subscription } of [first, second]) subscription.unsubscribe();
    });
  });

  describe('the group', () => {
    test(
      'takes a partition away in the middle of a record, and gives it back: all is done once',
      kafkaMarbles((t) => {
        const orders = t.records('-(ab)-c------d---', drawn, { drainTimeoutMs: 20 });
        t.lifecycle(orders, '     --R---A');
        orders.pipe(make(), delay(3), tap(settle)).subscribe();
        t.expectLateAcks(orders).toBe('');
        t.expectNacks(orders).toBe('');
        t.flush();
        expect(t.snapshot(orders)).toEqual({ inHand: [], committed: { 0: 4 } });
      }),
    );

    test(
      'loses a partition in the middle of a record: what comes of it is late',
      kafkaMarbles((t) => {
        const orders = t.records('-(ab)-c------d---', drawn);
        t.lifecycle(orders, '     --L---A');
        orders.pipe(make(), delay(5), tap(settle)).subscribe();
        t.flush();
        expect(t.snapshot(orders)).toEqual({ inHand: [], committed: { 0: 4 } });
      }),
    );

    test(
      'fails to commit: that is made up for',
      kafkaMarbles((t) => {
        const orders = t.records('-a-b-c-d---', drawn);
        t.lifecycle(orders, '     (FF)');
        orders.pipe(make(), delay(3), tap(settle)).subscribe();
        t.flush();
        expect(t.snapshot(orders)).toEqual({ inHand: [], committed: { 0: 4 } });
      }),
    );
  });
}
