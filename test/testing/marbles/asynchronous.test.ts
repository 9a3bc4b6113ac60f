import { firstValueFrom, lastValueFrom, map, retry, timer, timestamp } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { processEach, type ConsumerRecord, type ProcessContext } from '../../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../../src/testing/index.js';

const after = (ms: number) => lastValueFrom(timer(ms).pipe(map(() => 'x')));

describe('kafkaMarblesAsync()', () => {
  test(
    'promises resolve in virtual time',
    kafkaMarblesAsync(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b--|');
      const work = async (record: ConsumerRecord) => {
        await after(String(record.value) === 'a' ? 5 : 1);
        return after(2);
      };
      expectOutput(orders.pipe(processEach(work, { concurrency: 2, order: 'none' }))).toBe(
        '                        ------x-(x|)',
      );
      expectAcks(orders).toBe('   ------b-a');
      expectCommits(orders).toBe('--------b');
    }),
  );

  test(
    'signals abort in virtual time, and end the work that listens',
    kafkaMarblesAsync(({ records, lifecycle, expectOutput, expectLifecycle, expectAcks }) => {
      const orders = records('-a', undefined, { drainTimeoutMs: 10 });
      lifecycle(orders, '     ---R');
      const untilAborted = (_: ConsumerRecord, { signal }: ProcessContext) =>
        new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('x')));
      expectOutput(orders.pipe(processEach(untilAborted))).toBe('13ms x');
      expectLifecycle(orders, 'revoked').toBe('13ms R');
      expectAcks(orders).toBe('');
    }),
  );

  test(
    'what RxJS does on timers after a promise is in virtual time too',
    kafkaMarblesAsync(({ records, expectOutput, expectDeliveries }) => {
      const orders = records('-a|');
      let failures = 2;
      const work = async () => {
        await after(1);
        if (failures-- > 0) throw new Error('not yet');
        return 'x';
      };
      expectOutput(orders.pipe(processEach(work), retry({ delay: 100 }))).toBe('204ms (x|)');
      expectDeliveries(orders).toBe('-a 100ms a 100ms a');
    }),
  );

  test(
    'the body itself may wait',
    kafkaMarblesAsync(async ({ records, expectOutput, snapshot, cold }) => {
      const orders = records('-a---');
      expectOutput(orders.pipe(processEach(() => after(5)))).toBe('------x');
      await after(3);
      expect(snapshot(orders)).toEqual({ inHand: ['a'], committed: { 0: 0 } });
      const { timestamp: now } = await firstValueFrom(cold('-- 10ms a').pipe(timestamp()));
      expect(now).toBe(3 + 12);
      expect(snapshot(orders)).toEqual({ inHand: [], committed: { 0: 1 } });
    }),
  );

  test('what the body rejects with fails the test', async () => {
    const body = kafkaMarblesAsync(async () => {
      await after(5);
      throw new Error('wrong');
    });
    await expect(body()).rejects.toThrow('wrong');
  });

  test('leaves real time behind as it was', async () => {
    await kafkaMarblesAsync(({ expectOutput, cold }) => expectOutput(cold('-a')).toBe('-a'))();
    const before = Date.now();
    const { timestamp: now } = await firstValueFrom(timer(0).pipe(timestamp()));
    expect(now).toBeGreaterThanOrEqual(before);
    kafkaMarbles(({ expectOutput, cold }) => expectOutput(cold('-a')).toBe('-a'))();
  });

  test('refuses to run beside another', async () => {
    const first = kafkaMarblesAsync(({ expectOutput, cold }) =>
      expectOutput(cold('-a')).toBe('-a'),
    )();
    const second = kafkaMarblesAsync(({ expectOutput, cold }) =>
      expectOutput(cold('-a')).toBe('-a'),
    )();
    await expect(second).rejects.toThrow('can’t run concurrently');
    await first;
  });
});
