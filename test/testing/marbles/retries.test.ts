import { describe, expect, test } from 'vitest';
import { retryTopics } from '../../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../../src/testing/index.js';

const options = { consumer: { groupId: 'retries' }, onError: 'fail' } as const;
const topics = [{ topic: 'later', delayMs: 5 }];
const once = (_: unknown, { attempt }: { readonly attempt: number }) => {
  if (attempt === 1) throw new Error('once');
};

describe('retries()', () => {
  test(
    'what is written comes back when it is due, in its own time for each record',
    kafkaMarblesAsync(({ records, retries, expectAcks, expectDeliveries }) => {
      const orders = records('a-b--');
      const later = retries('r');
      orders.pipe(retryTopics(later, topics, options, once)).subscribe();
      expectAcks(orders).toBe('               a-b');
      expectDeliveries(later.records).toBe('  -----a-b');
      expectAcks(later.records).toBe('        -----a-b');
    }),
  );

  test('what is read by nobody says so', () => {
    const test = kafkaMarbles(({ retries, expectAcks }) => {
      expectAcks(retries().records).toBe('');
    });
    expect(test).toThrow(/give it to retryTopics\(\) first/);
  });

  test('each is for one pipeline', () => {
    const test = kafkaMarbles(({ retries }) => {
      const later = retries();
      retryTopics(later, topics, options, once);
      retryTopics(later, topics, options, once);
    });
    expect(test).toThrow(/draw another for each/);
  });

  test('letters that no record has are refused', () => {
    const test = kafkaMarbles(({ records, retries, expectAcks }) => {
      const orders = records('a');
      const later = retries();
      orders.pipe(retryTopics(later, topics, options, once)).subscribe();
      expectAcks(later.records).toBe('x');
    });
    expect(test).toThrow(/there is no record x; there are a/);
  });
});
