import { from, Subject, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { ConsumerEvent } from '../../src/core/consumer/events.js';
import { ConfigError, retryEach, type ConsumerRecord } from '../../src/index.js';
import { FakeClock, settled } from '../support/fake-clock.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline } from '../support/records.js';
import { watch } from '../support/watching.js';

/** Work that fails so often for each value, then gives it back in capitals. */
function failing(times: Readonly<Record<string, number>>) {
  const tries: string[] = [];
  const left = new Map(Object.entries(times));
  const work = (record: ConsumerRecord<unknown, unknown>) => {
    const name = text(record);
    tries.push(name);
    const more = left.get(name) ?? 0;
    left.set(name, more - 1);
    if (more > 0) throw new Error(`${name} fails`);
    return Promise.resolve(name.toUpperCase());
  };
  return { tries, work };
}

function setting() {
  const clock = new FakeClock();
  const events: ConsumerEvent[] = [];
  const partition = new TestPartition({ pipeline: testPipeline({ clock, events }) });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settled();
  };
  return { events, partition, pass };
}

describe('retryEach', () => {
  behavesLikeAnOperator(() => retryEach((record) => [record]));

  test('tries again until it succeeds, with no limit by default', async () => {
    const { partition, pass, events } = setting();
    const { tries, work } = failing({ a: 30 });
    const seen = watch(from(partition.deliver('a')).pipe(retryEach(work, { backoffMaxMs: 1000 })));
    for (let i = 0; i < 40; i++) await pass(1500);
    expect(seen).toMatchObject({ values: ['A'], isComplete: true });
    expect(tries).toHaveLength(31);
    expect(partition.committable).toBe(1);
    expect(events.filter(({ type }) => type === 'record-retried')).toHaveLength(30);
  });

  test('keeps the order of the key while it waits, and others go on', async () => {
    const { partition, pass } = setting();
    const { work } = failing({ a: 1 });
    const seen = watch(
      from(partition.deliver('x=a', 'x=b', 'y=c').map((record) => record)).pipe(
        retryEach(work, { order: 'key', concurrency: 3 }),
      ),
    );
    await settled();
    expect(seen.values).toEqual(['C']);
    await pass(200);
    expect(seen.values).toEqual(['C', 'A', 'B']);
    expect(partition.committable).toBe(3);
  });

  test('fails the stream when count is used up, and the record goes back', async () => {
    const { partition, pass } = setting();
    const { tries, work } = failing({ a: 9 });
    const seen = watch(from(partition.deliver('a')).pipe(retryEach(work, { count: 2 })));
    for (let i = 0; i < 5; i++) await pass(1000);
    expect(seen.error).toEqual(new Error('a fails'));
    expect(tries).toHaveLength(3);
    expect(partition.returned).toEqual([0]);
  });

  test('asks onError when count is used up', async () => {
    const { partition, pass } = setting();
    const { work } = failing({ a: 9 });
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        retryEach(work, { count: 1, onError: ({ attempt }) => [`given up after ${attempt}`] }),
      ),
    );
    for (let i = 0; i < 5; i++) await pass(1000);
    expect(seen.values).toEqual(['given up after 2', 'B']);
    expect(partition.committable).toBe(2);
  });

  test('gives a record that waits back when it is unsubscribed', async () => {
    const { partition, pass } = setting();
    const source = new Subject<ReturnType<TestPartition['deliver']>[number]>();
    const seen = watch(
      source.pipe(retryEach(() => throwError(() => new Error('no')), { backoffMs: 500 })),
    );
    source.next(partition.deliver('a')[0]!);
    seen.subscription.unsubscribe();
    await pass(60_000);
    expect(partition.returned).toEqual([0]);
  });

  test('checks its options where it is made', () => {
    expect(() => retryEach(() => undefined, { count: -1 })).toThrow(ConfigError);
    expect(() => retryEach(() => undefined, { backoffMs: -1 })).toThrow(/backoffMs/);
    expect(() => retryEach(() => undefined, { tries: 3 } as never)).toThrow(/tries/);
  });
});
