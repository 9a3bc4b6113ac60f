import { interval, map, NEVER, of } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { TestScheduler } from 'rxjs/testing';
import { ackEach, json } from '../../../src/index.js';
import {
  kafkaMarbles,
  kafkaMarblesAsync,
  kafkaMarblesOn,
  type KafkaMarbleHelpers,
} from '../../../src/testing/index.js';

/** What a test with this body fails with. */
function failureOf(body: (t: KafkaMarbleHelpers) => void): string {
  try {
    kafkaMarbles(body)();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the test has passed');
}

describe('a diagram that means nothing', () => {
  test.each([
    ['-a-=b', '= means nothing here', '-a-^'],
    ['-a-!', '! means nothing here', '-a-^'],
    ['^-a', '^ means nothing here', '^'],
    ['-(ab', 'the group has no end', '-(ab^'],
    ['-ab)', 'there is no group that could end here', '-ab^'],
    ['(a(b))', 'a group can’t be within a group', '(a^'],
    ['(a-b)', 'no time passes within a group', '(a^'],
    ['-a|-b', 'nothing can come after the end', '-a|-^'],
  ])('records(%j) is refused: %s', (marbles, why, pointer) => {
    const failure = failureOf(({ records }) => records(marbles));
    expect(failure).toContain(`records('${marbles}'): ${why}`);
    const [, drawn, mark] = failure.split('\n');
    expect(drawn).toBe(`  ${marbles}`);
    expect(mark).toBe(`  ${' '.repeat(pointer.length - 1)}^`);
  });

  test('records without a definition are named, with those that have one', () => {
    expect(failureOf(({ records }) => records('-a-b', { a: {}, c: {} }))).toContain(
      'there is no definition of b, only of a, c; add b: { key: ..., value: ... }',
    );
  });

  test.each([
    [
      'no object',
      'hello',
      "Record a is defined as 'hello': say what of it that is, as in { a: { value: 'hello' } }",
    ],
    [
      'a field that records do not have',
      { val: 'hello' },
      "Record a can't have 'val'; it has topic, partition, key",
    ],
  ])('a definition that is, or has, %s is refused by name', (_, definition, message) => {
    expect(failureOf(({ records }) => records('-a', { a: definition as never }))).toContain(
      message,
    );
  });

  test('so are times without a space behind them', () => {
    expect(failureOf(({ records }) => records('10ms-a', { a: {} }))).toContain(
      'there is no definition of 1',
    );
  });

  test('values that need a serde', () => {
    expect(
      failureOf(({ records }) => records('-a', { a: { value: { total: 5 } as never } })),
    ).toContain(
      'The value of record a is of type object: without a valueSerde, such as valueSerde: json()',
    );
    const typed = { a: { value: { total: 5 } } };
    kafkaMarbles(({ records, expectOutput }) => {
      const orders = records('-a', typed, { valueSerde: json<{ total: number }>() });
      expectOutput(orders.pipe(map(({ value }) => value.total))).toBe('-5', { 5: 5 });
    })();
  });

  test('letters of a lifecycle that stand for nothing, and partitions without a record', () => {
    expect(failureOf(({ records, lifecycle }) => lifecycle(records('-a'), '-X'))).toContain(
      'X means nothing here: draw A (assign), R (revoke), L (lose), D (drain), F (fail-commit)',
    );
    expect(
      failureOf(({ records, lifecycle }) => {
        const orders = records('-a');
        orders.subscribe();
        lifecycle(orders, '-x', { x: { type: 'revoke', partitions: [1] } });
      }),
    ).toContain('no record is drawn in partition 1, only in 0');
  });

  test('acks of records that are not there, and of what is no end', () => {
    expect(failureOf(({ records, expectAcks }) => expectAcks(records('-a')).toBe('-b'))).toContain(
      "expectAcks().toBe('-b'): there is no record b; there are a",
    );
    expect(failureOf(({ records, expectAcks }) => expectAcks(records('-a')).toBe('-|'))).toContain(
      'it has no end',
    );
    expect(failureOf(({ records, expectAcks }) => expectAcks(records('-a')).toBe('-#'))).toContain(
      'it can’t fail',
    );
  });

  test('answers of a sink for more than one record', () => {
    expect(failureOf(({ sink }) => sink('-r-r'))).toContain('for several records give a list');
  });
});

describe('a test that could not fail', () => {
  test('asserts nothing', () => {
    expect(failureOf(({ records }) => records('-a').subscribe())).toContain(
      'The test expects nothing, so it can’t fail',
    );
  });

  test('expects something, and never says what', () => {
    expect(
      failureOf(({ records, expectAcks }) => {
        const orders = records('-a');
        orders.subscribe();
        expectAcks(orders);
      }),
    ).toBe("expectAcks() asserts nothing: say what is expected, with .toBe('--a--b')");
  });

  test('subscribes to nothing', () => {
    expect(failureOf(({ records, expectAcks }) => expectAcks(records('-a')).toBe(''))).toContain(
      "records('-a') was never subscribed to",
    );
  });

  test('asks for the acks of what is no source', () => {
    expect(failureOf(({ expectAcks }) => expectAcks(NEVER as never).toBe(''))).toContain(
      'expectAcks() takes what records() has returned, not an Observable of another origin',
    );
  });

  test('has promises, and is not told so', () => {
    const body = (() => Promise.resolve()) as unknown as () => void;
    expect(failureOf(body)).toContain('kafkaMarblesAsync()');
  });

  test('never ends', () => {
    expect(failureOf(({ expectOutput }) => expectOutput(interval(3_600_000)).toBe(''))).toContain(
      'A day of virtual time has passed',
    );
    expect(
      failureOf(({ records, expectOutput }) => {
        const orders = records('-a');
        expectOutput(orders.pipe(map((record) => record.nack('never')))).toBe('');
      }),
    ).toContain('A day of virtual time has passed');
  });

  test('is drawn outside of run mode', () => {
    expect(() => kafkaMarblesOn(new TestScheduler(() => undefined))).toThrow(
      'are drawn in run mode',
    );
  });

  test('subscribes twice at once', () => {
    expect(
      failureOf(({ records, expectOutput }) => {
        const orders = records('-a');
        expectOutput(orders).toBe('-a');
        expectOutput(orders).toBe('-a');
      }),
    ).toContain('was subscribed to twice at once');
  });
});

describe('what is not as drawn', () => {
  test('is shown beside what is', () => {
    expect(
      failureOf(({ records, expectAcks, expectOutput }) => {
        const orders = records('-a--b');
        expectOutput(orders.pipe(ackEach())).toBe('-a--b');
        expectAcks(orders).toBe('-a-b');
      }),
    ).toBe('expectAcks() is not as it was drawn\n' + '  expected  -a-b\n' + '  observed  -a--b');
  });

  test('with a legend for what has no letter, and a time for what takes long', () => {
    const failure = failureOf(({ cold, expectOutput }) => {
      const output = cold('-a 500ms b|', { a: { x: 1 }, b: 'long text' });
      expectOutput(output).toBe('-a 500ms c|', { a: { x: 1 }, c: 5 });
    });
    expect(failure).toBe(
      'expectOutput() is not as it was drawn\n' +
        '  expected  -a 500ms c|\n' +
        '  observed  -a 500ms ①|\n' +
        "    ① is 'long text'",
    );
  });

  test('as a list where a line has no room for it', () => {
    expect(
      failureOf(({ expectOutput, cold }) => {
        expectOutput(cold('-a-', { a: [1] }).pipe(map(() => 1))).toBe('-(ab)');
      }),
    ).toContain('observed  -①');
    expect(
      failureOf(({ records, expectAcks, expectOutput }) => {
        const orders = records('abc', { a: {}, b: { partition: 1 }, c: {} });
        const twice = orders.pipe(map((record) => [record, record]));
        expectOutput(twice).toBe('(ab)');
        expectAcks(orders).toBe('');
      }),
    ).toContain("① is [ 'a', 'a' ]");
  });

  test('also by RxJS’s own assertions', () => {
    expect(
      failureOf(({ expectObservable }) => {
        expectObservable(of('a')).toBe('-a');
      }),
    ).toContain('observed  (a|)');
  });

  test('on a scheduler of another library, when that has run to its end', () => {
    const scheduler = new TestScheduler(() => undefined);
    expect(() =>
      scheduler.run(() => {
        const { records, expectAcks } = kafkaMarblesOn(scheduler);
        const orders = records('-a');
        orders.pipe(ackEach()).subscribe();
        expectAcks(orders).toBe('--a');
      }),
    ).toThrow('observed  -a');
  });
});

test('an asynchronous test that waits for real time fails instead of hanging', async () => {
  const body = kafkaMarblesAsync(() => new Promise<void>(() => undefined));
  await expect(body()).rejects.toThrow('something that virtual time can’t bring about');
});
