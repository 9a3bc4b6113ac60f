import { catchError, map, of, toArray, type Observable } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  batchEach,
  deadLetter,
  exhaustEach,
  filterEach,
  flatMapEach,
  mapEach,
  processEach,
  retryEach,
  switchEach,
  type ConsumerRecord,
} from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { Simulation } from '../support/simulation.js';

type Unchecked = (...given: unknown[]) => unknown;

describe('what JavaScript lets pass is refused at once', () => {
  test.each([
    ['processEach', processEach, 'project'],
    ['retryEach', retryEach, 'project'],
    ['flatMapEach', flatMapEach, 'project'],
    ['mapEach', mapEach, 'project'],
    ['filterEach', filterEach, 'predicate'],
    ['switchEach', switchEach, 'project'],
    ['exhaustEach', exhaustEach, 'project'],
  ])('%s without a function', (name, operator, what) => {
    expect(() => (operator as Unchecked)()).toThrow(
      `${name}: option ${what} is undefined, but it must be a function`,
    );
  });

  test.each([
    ['batchEach', () => (batchEach as Unchecked)(5)],
    ['processEach', () => (processEach as Unchecked)(() => undefined, 5)],
    ['retryEach', () => (retryEach as Unchecked)(() => undefined, 5)],
    ['flatMapEach', () => (flatMapEach as Unchecked)(() => undefined, 5)],
    ['switchEach', () => (switchEach as Unchecked)(() => undefined, 5)],
    ['exhaustEach', () => (exhaustEach as Unchecked)(() => undefined, 5)],
  ])('%s with a number in place of options', (name, make) => {
    expect(make).toThrow(`${name}: the options are 5, but they must be an object`);
  });

  test('deadLetter without a topic', async () => {
    await using sim = await Simulation.start();
    const kafka = sim.kafka();
    expect(() => (deadLetter as Unchecked)(kafka)).toThrow('deadLetter: the options are undefined');
  });
});

describe('what is no record', () => {
  const messageOf = (stream: Observable<unknown>) => {
    let message = '';
    stream.pipe(toArray()).subscribe({ error: (error: Error) => (message = error.message) });
    return message;
  };
  const process = processEach(() => undefined) as unknown as (
    source: Observable<unknown>,
  ) => Observable<unknown>;

  test.each([[1], [null], [undefined], ['text'], [{ value: 'a' }]])(
    '%j ends the stream, and is named with what to do',
    (value) => {
      const message = messageOf(of(value).pipe(process));
      expect(message).toMatch(/neither a record of a consumer nor a batch; use mapEach\(\)/);
    },
  );

  test(
    'map() before an operator that acks fails the stream with the record unacked',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('-a-');
      const values = orders.pipe(
        map(({ value }) => value),
      ) as unknown as Observable<ConsumerRecord>;
      const failed = values.pipe(
        processEach(() => undefined),
        catchError((error: { code: string }) => of(error.code)),
      );
      expectOutput(failed).toBe('-(x|)', { x: 'NO_RECORD' });
      expectAcks(orders).toBe('');
    }),
  );
});
