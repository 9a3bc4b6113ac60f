import { NEVER, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, processEach, type ConsumerRecord } from '../../../src/index.js';
import { kafkaMarbles } from '../../../src/testing/index.js';

const takes = (ms: number) => processEach((_: ConsumerRecord) => timer(ms));

describe('lifecycle()', () => {
  test(
    'a revoke awaits the work in hand, gives back what was not started, commits, then is told',
    kafkaMarbles((t) => {
      const orders = t.records('-(ab)---------', undefined, { drainTimeoutMs: 100 });
      t.lifecycle(orders, '     ---R');
      t.expectOutput(orders.pipe(takes(5))).toBe('------x', { x: 0 });
      t.expectReturns(orders).toBe('---b');
      t.expectAcks(orders).toBe('   ------a');
      t.expectCommits(orders).toBe('------a');
      t.expectLifecycle(orders, 'draining', 'revoked').toBe('---D--R');
    }),
  );

  test(
    'whoever has the partition next goes on after what was acked',
    kafkaMarbles((t) => {
      const orders = t.records('-(ab)------c');
      t.lifecycle(orders, '     ---R-----A');
      t.expectOutput(orders.pipe(takes(2))).toBe('---x-------x-x', { x: 0 });
      t.expectDeliveries(orders).toBe('           -(ab)----b-c');
    }),
  );

  test(
    'work that takes longer than the drain may is told to stop, and its ack changes nothing',
    kafkaMarbles((t) => {
      const orders = t.records('-a', undefined, { drainTimeoutMs: 10 });
      t.lifecycle(orders, '     ---R');
      const signals: AbortSignal[] = [];
      const work = (_: ConsumerRecord, { signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        return timer(20);
      };
      t.expectOutput(orders.pipe(processEach(work))).toBe('21ms x', { x: 0 });
      t.expectAcks(orders).toBe('');
      t.expectLateAcks(orders).toBe('21ms a');
      t.expectLifecycle(orders, 'revoked').toBe('13ms R');
      t.flush();
      expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
      expect(t.snapshot(orders)).toEqual({ inHand: [], committed: { 0: 0 } });
    }),
  );

  test(
    'partitions that are revoked leave the others alone',
    kafkaMarbles((t) => {
      const orders = t.records('-a-b-a-b|', { a: { partition: 0 }, b: { partition: 1 } });
      t.lifecycle(orders, '     --x', { x: { type: 'revoke', partitions: [0] } });
      t.expectOutput(orders.pipe(ackEach())).toBe('-a-b---b|');
    }),
  );

  test(
    'what is lost commits nothing',
    kafkaMarbles((t) => {
      const orders = t.records('-ab');
      t.lifecycle(orders, '     ----L');
      t.expectOutput(orders.pipe(takes(5)), '^---------!').toBe('------x', { x: 0 });
      t.expectCommits(orders).toBe('');
      t.expectLateAcks(orders).toBe('------a');
      t.expectLifecycle(orders, 'lost', 'drained').toBe('----L-----E');
    }),
  );

  test(
    'a drain finishes what was begun, and completes',
    kafkaMarbles((t) => {
      const orders = t.records('-a-b-c');
      t.lifecycle(orders, '     ----D');
      t.expectOutput(orders.pipe(takes(4))).toBe('-----(x|)', { x: 0 });
      t.expectLifecycle(orders, 'draining', 'drained').toBe('----DE');
      t.expectCommits(orders).toBe('     -----a');
    }),
  );

  test(
    'a commit that fails is made up for by the next',
    kafkaMarbles((t) => {
      const orders = t.records('-a-b-c');
      t.lifecycle(orders, '     -F');
      t.expectOutput(orders.pipe(ackEach())).toBe('-a-b-c');
      t.expectCommits(orders).toBe('              ---b-c');
      t.expectLifecycle(orders, 'commit-failed', 'committed').toBe('-F-C-C');
    }),
  );

  test(
    'an error is told when the work in hand is done',
    kafkaMarbles((t) => {
      const orders = t.records('-a--#-');
      t.expectOutput(orders.pipe(takes(6))).toBe('-------(x#)', { x: 0 });
      t.expectCommits(orders).toBe('              -------a');
    }),
  );

  test(
    'a batching operator is told that nothing more can come',
    kafkaMarbles((t) => {
      const orders = t.records('-abc', undefined, { maxUnackedRecords: 2 });
      const told: string[] = [];
      const listening = processEach((record: ConsumerRecord) => {
        record.pipeline.listen({ onStarved: (reason) => told.push(reason) });
        return NEVER;
      });
      t.expectOutput(orders.pipe(listening)).toBe('');
      t.expectLifecycle(orders, 'starved').toBe('--S');
      t.flush();
      expect(told).toEqual(['idle', 'exhausted']);
    }),
  );

  test(
    'its events can be listened to',
    kafkaMarbles((t) => {
      const orders = t.records('-a|');
      const seen: string[] = [];
      t.lifecycleOf(orders).subscribe(({ type }) => seen.push(type));
      t.expectOutput(orders.pipe(ackEach())).toBe('-a|');
      t.flush();
      expect(seen).toEqual(['assigned', 'position-reset', 'caught-up', 'committed', 'drained']);
    }),
  );
});
