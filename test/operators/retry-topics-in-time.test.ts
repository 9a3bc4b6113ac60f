import { lastValueFrom, map, of, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { deadLetter, retryHeaders, retryTopics, string } from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../src/testing/index.js';
import { text } from '../support/operator-spec.js';

const SHORT = { topic: 'orders.retry.10ms', delayMs: 10 };
const LONG = { topic: 'orders.retry.30ms', delayMs: 30 };
const consumer = { groupId: 'retries' };

/** Work that fails so often for each value. */
function failing(times: Readonly<Record<string, number>>) {
  return (record: { readonly value: unknown }, { attempt }: { readonly attempt: number }) => {
    if (attempt <= (times[text(record)] ?? 0)) throw new Error(`no ${text(record)}`);
    return of(text(record));
  };
}

describe('retryTopics, in time', () => {
  test(
    'what fails is tried again when it is due, in one topic after the other, and holds nothing up',
    kafkaMarblesAsync((t) => {
      const orders = t.records('ab-');
      const retries = t.retries('r');
      const work = failing({ a: 2 });
      const options = { consumer, onError: 'fail' } as const;
      const processed = orders.pipe(retryTopics(retries, [SHORT, LONG], options, work));
      t.expectOutput(processed).toBe('        -b 38ms a');
      t.expectAcks(orders).toBe('             ab');
      t.expectDeliveries(retries.records).toBe('10ms a 29ms a');
      t.expectAcks(retries.records).toBe('      10ms a 29ms a');
      t.expectCommits(retries.records).toBe('   10ms a 29ms a');
    }),
  );

  test(
    'a record is acked when its retry record is, not before',
    kafkaMarbles((t) => {
      const orders = t.records('a---');
      const retries = t.retries('--r');
      const options = { consumer, onError: 'fail' } as const;
      orders.pipe(retryTopics(retries, [SHORT], options, failing({ a: 1 }))).subscribe();
      t.expectAcks(orders).toBe('--a');
      t.flush();
      const [retry] = retries.written;
      const headers = Object.fromEntries(
        retry!.headers.map(([name, value]) => [name, String(value)]),
      );
      expect(headers).toMatchObject({ [retryHeaders.dueAt]: '10', [retryHeaders.attempt]: '1' });
    }),
  );

  test(
    'after the last topic it becomes a dead letter, which acks what lay there',
    kafkaMarblesAsync((t) => {
      const orders = t.records('a---');
      const [retries, letters] = [t.retries('r'), t.sink('--r')];
      const onError = deadLetter(letters, { topic: 'orders.dead' });
      const work = failing({ a: 9 });
      const processed = orders.pipe(retryTopics(retries, [SHORT], { consumer, onError }, work));
      t.expectOutput(processed.pipe(map(() => 'letter'))).toBe('12ms l', { l: 'letter' });
      t.expectReceipts(letters).toBe('12ms a');
      t.expectAcks(retries.records).toBe('12ms a');
    }),
  );

  test(
    'values are read as the consumer is told to',
    kafkaMarblesAsync((t) => {
      const orders = t.records<null, string>(
        'a---',
        { a: { value: 'x' } },
        { valueSerde: string() },
      );
      const retries = t.retries('r');
      const options = {
        consumer: { ...consumer, valueDeserializer: string() },
        onError: 'fail',
      } as const;
      const seen = ({ value }: { value: string }, { attempt }: { attempt: number }) => {
        if (attempt === 1) throw new Error('once');
        return [value];
      };
      t.expectOutput(orders.pipe(retryTopics(retries, [SHORT], options, seen as never))).toBe(
        '10ms x',
      );
    }),
  );

  test(
    'a rebalance moves what is held; it is tried once, when it is due',
    kafkaMarblesAsync((t) => {
      const orders = t.records('a---');
      const retries = t.retries('r');
      const options = { consumer, onError: 'fail' } as const;
      const processed = orders.pipe(retryTopics(retries, [SHORT], options, failing({ a: 1 })));
      t.lifecycle(retries.records, '----R---A');
      t.expectOutput(processed).toBe('10ms a');
      t.expectLifecycle(retries.records, 'revoked').toBe('----R');
      t.expectDeliveries(retries.records).toBe('10ms a');
    }),
  );

  test(
    'in a rebalance, a try that was begun is finished, and committed with its topic',
    kafkaMarblesAsync((t) => {
      const orders = t.records('a---');
      const retries = t.retries('r', { drainTimeoutMs: 20 });
      const later = (record: { value: unknown }, { attempt }: { attempt: number }) =>
        lastValueFrom(timer(3)).then(() => {
          if (attempt === 1) throw new Error('once');
          return text(record);
        });
      const options = { consumer, onError: 'fail' } as const;
      const processed = orders.pipe(retryTopics(retries, [SHORT], options, later));
      t.lifecycle(retries.records, '14ms R');
      t.expectOutput(processed).toBe('16ms a');
      t.expectCommits(retries.records).toBe('16ms a');
      t.expectLifecycle(retries.records, 'revoked').toBe('16ms R');
    }),
  );

  test(
    'unsubscribed while something waits, it stays where it is, for whoever subscribes next',
    kafkaMarblesAsync((t) => {
      const orders = t.records('a---');
      const retries = t.retries('r');
      const options = { consumer, onError: 'fail' } as const;
      const processed = orders.pipe(retryTopics(retries, [SHORT], options, failing({ a: 1 })));
      t.expectOutput(processed, '^----!').toBe('');
      t.expectOutput(processed, '-------^').toBe('10ms a');
      t.expectAcks(orders).toBe('a');
      t.expectAcks(retries.records).toBe('10ms a');
    }),
  );

  test(
    'a source that completes is the end, when what was begun is done',
    kafkaMarblesAsync((t) => {
      const orders = t.records('ab---|');
      const retries = t.retries('-r');
      const options = { consumer, onError: 'fail' } as const;
      const processed = orders.pipe(retryTopics(retries, [SHORT], options, failing({ a: 1 })));
      t.expectOutput(processed).toBe('-b---|');
      t.expectAcks(orders).toBe('     -(ab)');
      t.expectDeliveries(retries.records).toBe('');
    }),
  );

  test(
    'a retry record that can not be written ends the stream, and the record goes back',
    kafkaMarblesAsync((t) => {
      const orders = t.records('a---');
      const retries = t.retries('--#');
      const options = { consumer, onError: 'fail' } as const;
      const processed = orders.pipe(
        retryTopics(retries, [SHORT], options, failing({ a: 1 })),
        map(() => 'done'),
      );
      const codes: unknown[] = [];
      processed.subscribe({ error: ({ code }: { code: unknown }) => codes.push(code) });
      t.expectAcks(orders).toBe('');
      t.expectReturns(orders).toBe('--a');
      void t.clock.schedule(5, () => expect(codes).toEqual(['NOT_ENOUGH_REPLICAS']));
    }),
  );
});
