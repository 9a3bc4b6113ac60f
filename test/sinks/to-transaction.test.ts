import {
  catchError,
  concat,
  EMPTY,
  map,
  NEVER,
  Observable,
  of,
  range,
  throwError,
  toArray,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ConfigError,
  json,
  toTransaction,
  type ConsumerRecord,
  type OutgoingRecord,
  type Transaction,
} from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync, type MarbleSink } from '../../src/testing/index.js';
import { Simulation } from '../support/simulation.js';

/** What a sink needs of a transaction is where records go. */
function transactionOver({ engine }: MarbleSink): Transaction {
  return { engine } as never;
}

const derived = map((record: ConsumerRecord) => record.derive({ topic: 'invoices' }));
const invoices = (...values: string[]) => values.map((value) => ({ topic: 'invoices', value }));
const gone = new Error('gone');

describe('toTransaction', () => {
  test(
    'emits a receipt for each record that is written, and completes when all are',
    kafkaMarblesAsync((t) => {
      const orders = t.records('-a-b|');
      const sink = t.sink('---r');
      t.expectOutput(orders.pipe(derived, toTransaction(transactionOver(sink)))).toBe('----a-(b|)');
      t.expectReceipts(sink).toBe('                                                    ----a-b');
    }),
  );

  test(
    'writes each to the topic that it names, with the serializers that are given',
    kafkaMarbles((t) => {
      const sink = t.sink();
      const records: OutgoingRecord<string, object>[] = [
        { topic: 'invoices', value: { no: 1 } },
        { topic: 'audit', value: { no: 2 } },
      ];
      const options = { valueSerializer: json<object>() };
      t.cold('(ab)', { a: records[0]!, b: records[1]! })
        .pipe(toTransaction(transactionOver(sink), options))
        .subscribe();
      t.flush();
      expect(sink.written.map(({ topic, value }) => [topic, String(value)])).toEqual([
        ['invoices', '{"no":1}'],
        ['audit', '{"no":2}'],
      ]);
    }),
  );

  test(
    'a synchronous source and one that comes later are written alike',
    kafkaMarblesAsync((t) => {
      const [a, b] = invoices('a', 'b');
      const [atOnce, later] = [t.sink('-r'), t.sink('-r')];
      const letters = map(({ origin }: { origin: OutgoingRecord }) => origin.value);
      const into = (sink: MarbleSink) => toTransaction(transactionOver(sink));
      t.expectOutput(of(a!, b!).pipe(into(atOnce), letters)).toBe('-(ab|)');
      t.expectOutput(t.cold('a-(b|)', { a: a!, b: b! }).pipe(into(later), letters)).toBe('-a-(b|)');
    }),
  );

  test(
    'never and empty: what the source does',
    kafkaMarblesAsync((t) => {
      const into = toTransaction(transactionOver(t.sink()));
      t.expectOutput(NEVER.pipe(into)).toBe('');
      t.expectOutput(EMPTY.pipe(into)).toBe('|');
    }),
  );

  test(
    'an error of the source comes after what was accepted is finished',
    kafkaMarblesAsync((t) => {
      const sink = t.sink('---r');
      const source = concat(
        invoices('a'),
        throwError(() => gone),
      );
      const sent = source.pipe(
        toTransaction(transactionOver(sink)),
        map(() => 'a'),
      );
      t.expectOutput(sent).toBe('---(a#)', {}, gone);
    }),
  );

  test(
    'the first record that can’t be written ends the stream, and its source',
    kafkaMarblesAsync((t) => {
      const orders = t.records('-a-b-c-d----', undefined, { drainTimeoutMs: 5 });
      const sink = t.sink(['-r', '-#', '-r']);
      const sent = orders.pipe(derived, toTransaction(transactionOver(sink)));
      t.expectOutput(sent).toBe('     --a-#', {}, sink.error);
      t.expectNacks(orders).toBe('    ----b');
      t.expectDeliveries(orders).toBe('-a-b');
    }),
  );

  test(
    'a serializer that throws ends the stream, and its record comes again',
    kafkaMarblesAsync((t) => {
      const orders = t.records('-a----', undefined, { drainTimeoutMs: 5 });
      const valueSerializer = () => {
        throw new Error('no bytes');
      };
      const sent = orders.pipe(
        derived,
        toTransaction(transactionOver(t.sink()), { valueSerializer }),
        catchError(({ code }: { code: string }) => [code]),
      );
      t.expectOutput(sent).toBe(' -(s|)', { s: 'SERIALIZATION_FAILED' });
      t.expectNacks(orders).toBe('-a');
    }),
  );

  test('a record without a topic is a typed error, and comes again', async () => {
    let code: unknown;
    await kafkaMarblesAsync((t) => {
      const orders = t.records('a---', undefined, { drainTimeoutMs: 5 });
      orders
        .pipe(
          map((record) => record.derive()),
          toTransaction(transactionOver(t.sink())),
        )
        .subscribe({ error: (error: { code: unknown }) => (code = error.code) });
      t.expectNacks(orders).toBe('a');
    })();
    expect(code).toBe('NO_TOPIC');
  });

  test(
    'unsubscribed, it takes no more, and what was accepted is written',
    kafkaMarblesAsync((t) => {
      const orders = t.records('-a-b-c---');
      const sink = t.sink('----r');
      const sent = orders.pipe(derived, toTransaction(transactionOver(sink)));
      t.expectOutput(sent, '     ^---!').toBe('');
      t.expectReceipts(sink).toBe('-----a-b');
      t.expectAcks(orders).toBe(' -----a-b');
    }),
  );

  test(
    'records that find no room wait, derived or not',
    kafkaMarblesAsync((t) => {
      const sink = t.sink('--r', { maxInFlight: 1 });
      const values = map(({ origin }: { origin: OutgoingRecord }) => origin.value);
      const sent = of(...invoices('a', 'b', 'c')).pipe(
        toTransaction(transactionOver(sink)),
        values,
      );
      t.expectOutput(sent).toBe('--a-b-(c|)');
    }),
  );

  test('a source that emits for ever as it is subscribed to ends with the first failure', async () => {
    let asked = 0;
    await kafkaMarblesAsync((t) => {
      const endless = range(0, Infinity).pipe(
        map((i) => ({ topic: ++asked > 10 ? (undefined as never) : 'invoices', value: `${i}` })),
      );
      const sent = endless.pipe(
        toTransaction(transactionOver(t.sink('--r'))),
        map(() => 'r'),
        catchError(({ code }: { code: string }) => [code]),
        toArray(),
      );
      t.expectOutput(sent).toBe('--(s|)', { s: [...Array<string>(10).fill('r'), 'NO_TOPIC'] });
    })();
    expect(asked).toBe(11);
  });

  test('is subscribed to once for each subscriber', async () => {
    let subscriptions = 0;
    await kafkaMarblesAsync((t) => {
      const source = new Observable<OutgoingRecord>((subscriber) => {
        subscriptions++;
        subscriber.next(invoices('a')[0]!);
        subscriber.complete();
      });
      const sent = source.pipe(
        toTransaction(transactionOver(t.sink('-r'))),
        map(({ offset }) => offset),
      );
      t.expectOutput(sent).toBe('          -(a|)', { a: 0 });
      t.expectOutput(sent, '--^').toBe('---(b|)', { b: 1 });
    })();
    expect(subscriptions).toBe(2);
  });

  test('checks its options where it is made', () => {
    expect(() => toTransaction({} as never)).toThrow(ConfigError);
    const txn: Transaction = { engine: {} } as never;
    expect(() => toTransaction(txn, { keySerializer: 'json' as never })).toThrow(/keySerializer/);
  });

  // A real transaction, on the embedded broker.
  test('takes nothing for a transaction that has ended', async () => {
    await using sim = await Simulation.start({ topics: { invoices: 1 } });
    const producer = sim.kafka().producer({ transactionalId: 'billing' });
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.commit());
    let code: unknown;
    of(...invoices('a'))
      .pipe(toTransaction(txn))
      .subscribe({ error: (error: { code: unknown }) => (code = error.code) });
    await sim.until(() => code !== undefined);
    expect(code).toBe('TRANSACTION_ENDED');
    await sim.run(producer.close());
  });
});
