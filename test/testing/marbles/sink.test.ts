import { map } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { json, toTopic, type ConsumerRecord, type KafkaError } from '../../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../../src/testing/index.js';

const derived = map((record: ConsumerRecord) => record.derive());

describe('sink()', () => {
  test(
    'acknowledges records as drawn, and what they were derived from is acked then',
    kafkaMarbles((t) => {
      const orders = t.records('-a--b-');
      const invoices = t.sink('--r');
      t.expectOutput(orders.pipe(derived, toTopic(invoices, 'invoices'))).toBe('---a--b');
      t.expectReceipts(invoices).toBe('---a--b');
      t.expectAcks(orders).toBe('     ---a--b');
      t.flush();
      expect(invoices.written.map(({ topic, value }) => `${topic} ${String(value)}`)).toEqual([
        'invoices a',
        'invoices b',
      ]);
    }),
  );

  test(
    'fails records as drawn, and what they were derived from is nacked and comes again',
    kafkaMarbles((t) => {
      const orders = t.records('-a--', undefined, { nackBackoffMs: 10 });
      const invoices = t.sink(['--#', '--r']);
      const onError = ({ error }: { error: KafkaError }) => [error.code];
      t.expectOutput(orders.pipe(derived, toTopic(invoices, 'invoices', { onError }))).toBe(
        '---x 11ms a',
        { x: 'NOT_ENOUGH_REPLICAS' },
      );
      t.expectReceipts(invoices).toBe('---# 11ms a');
      t.expectNacks(orders).toBe('     ---a');
      t.expectCommits(orders).toBe('   15ms a');
    }),
  );

  test(
    'failures that are emitted are drawn as such, receipts of plain values by these',
    kafkaMarbles((t) => {
      const invoices = t.sink(({ value }) => (String(value) === 'x' ? '-#' : '-r'));
      const source = t.cold('-x-y', { x: { value: 'x' }, y: { value: 'y' } });
      const receipts = source.pipe(
        toTopic(invoices, 'invoices', { onError: 'emit' }),
        map((outcome) => ('error' in outcome ? 'failed' : outcome.offset)),
      );
      t.expectOutput(receipts).toBe('    --f-0', { f: 'failed', 0: 0 });
      t.expectReceipts(invoices).toBe('--#-y');
    }),
  );

  test(
    'a partition’s records are acknowledged in order, others are not kept waiting',
    kafkaMarbles((t) => {
      const invoices = t.sink(['-----r', '-r', '-r']);
      const source = t.cold('-abc', {
        a: { value: 'a' },
        b: { value: 'b' },
        c: { value: 'c', partition: 1 },
      });
      source.pipe(toTopic(invoices, 'invoices')).subscribe();
      t.expectReceipts(invoices).toBe('----c-(ab)');
    }),
  );

  test(
    'a record that can’t be serialized fails as in a producer',
    kafkaMarbles((t) => {
      const invoices = t.sink();
      const source = t.cold('-x', { x: { value: undefined, key: 5 } });
      const failed = source.pipe(
        toTopic(invoices, 'invoices', { onError: ({ error }) => [error.message] }),
      );
      t.expectOutput(failed).toBe('-x', {
        x:
          'Cannot serialize the key of a record for invoices: a number needs a serializer, such as ' +
          'json(); without one only strings, Buffers and Uint8Arrays can be sent',
      });
    }),
  );

  test(
    'where there is no room, derived records wait',
    kafkaMarblesAsync((t) => {
      const orders = t.records('-ab-');
      const invoices = t.sink('---r', { maxInFlight: 1 });
      t.expectOutput(orders.pipe(derived, toTopic(invoices, 'invoices'))).toBe('----a--b');
      t.expectCommits(orders).toBe('----a--b');
    }),
  );

  test(
    'completes when everything is acknowledged',
    kafkaMarblesAsync((t) => {
      const orders = t.records('-ab|');
      const invoices = t.sink('-----r');
      const sent = orders.pipe(derived, toTopic(invoices, 'invoices', { valueSerializer: json() }));
      t.expectOutput(sent).toBe('------a(b|)');
    }),
  );
});
