import {
  concatMap,
  EMPTY,
  filter,
  from,
  map,
  NEVER,
  range,
  Subject,
  take,
  throwError,
  timer,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { TestPartition, type TestRecord } from '../support/records.js';

describe('ackEach', () => {
  test('acks what reaches it and lets it through, in order', () => {
    const partition = new TestPartition();
    const committable: number[] = [];
    from(partition.deliver('a', 'b', 'c'))
      .pipe(ackEach())
      .subscribe(() => committable.push(partition.committable));
    expect(committable).toEqual([1, 2, 3]);
  });

  test('commits stop before a record that was dropped on the way', () => {
    const partition = new TestPartition();
    from(partition.deliver('a', 'b', 'c'))
      .pipe(
        filter(({ offset }) => offset !== 1),
        ackEach(),
      )
      .subscribe();
    expect(partition.committable).toBe(1);
  });

  test('never, empty and failing sources stay what they are', () => {
    const seen: string[] = [];
    const note = (name: string) => ({
      complete: () => seen.push(`${name} complete`),
      error: () => seen.push(`${name} error`),
    });
    NEVER.pipe(ackEach()).subscribe(note('never'));
    EMPTY.pipe(ackEach()).subscribe(note('empty'));
    throwError(() => new Error('gone'))
      .pipe(ackEach())
      .subscribe(note('failing'));
    expect(seen).toEqual(['empty complete', 'failing error']);
  });

  test('an endless, synchronous source ends where enough was taken, and so do the acks', () => {
    const partition = new TestPartition();
    range(0, Infinity)
      .pipe(
        map((i) => partition.deliver(String(i))[0]!),
        ackEach(),
        take(3),
      )
      .subscribe();
    expect(partition.committable).toBe(3);
  });

  test('unsubscribing ends the source', () => {
    const source = new Subject<TestRecord>();
    source.pipe(ackEach()).subscribe().unsubscribe();
    expect(source.observed).toBe(false);
  });

  test('a record whose acking throws ends the stream', () => {
    let told: unknown;
    const broken = {
      ack() {
        throw new Error('no');
      },
    };
    from([broken])
      .pipe(ackEach())
      .subscribe({ error: (error: unknown) => (told = error) });
    expect(told).toEqual(new Error('no'));
  });

  test(
    'work before it is done before the ack',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b|');
      const saved = orders.pipe(
        concatMap((record) => timer(3).pipe(map(() => record))),
        ackEach(),
      );
      expectOutput(saved).toBe('    ----a--(b|)');
      expectAcks(orders).toBe('   ----a--b');
      expectCommits(orders).toBe('----a--b');
    }),
  );

  test(
    'records that are delivered once more are acked once more',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectAcks }) => {
      const orders = records('-a-b-c', undefined, { drainTimeoutMs: 1 });
      lifecycle(orders, '     ----L-A');
      const saved = orders.pipe(
        concatMap((record) => timer(3).pipe(map(() => record))),
        ackEach(),
      );
      expectOutput(saved).toBe('----a--b--a--b--c');
      expectAcks(orders).toBe('----------a--b--c');
    }),
  );
});
