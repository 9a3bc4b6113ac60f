import { concat, EMPTY, from, map, mergeMap, NEVER, of, Subject, take, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  AuthorizationError,
  FencedError,
  toTransaction,
  TransactionAbortedError,
  type Producer,
  type Transaction,
} from '../../../../src/index.js';
import { rejectionOf, Simulation } from '../../../support/simulation.js';
import { watch } from '../../../support/watching.js';

const TOPIC = 'out';

async function start() {
  const sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
  const producer = sim.kafka().producer({ transactionalId: 'id' });
  return { sim, producer, [Symbol.asyncDispose]: () => sim[Symbol.asyncDispose]() };
}

const send = (txn: Transaction, value: string) => txn.send({ topic: TOPIC, value });

function counted(sim: Simulation): string[] {
  return sim.cluster.committedRecords(TOPIC).map(({ value }) => String(value));
}

/** How transactions ended, in their order. */
function ends(sim: Simulation): string[] {
  return sim.events
    .filter(({ type }) => /^transaction-(committed|aborted)$/.test(type))
    .map(({ type }) => type.slice('transaction-'.length));
}

/** What is left behind is in nobody's way. */
async function goesOn(sim: Simulation, producer: Producer): Promise<void> {
  const txn = await sim.run(producer.beginTransaction());
  await sim.run(send(txn, 'next'));
  await sim.run(txn.commit());
  expect(counted(sim).at(-1)).toBe('next');
}

describe('producer.transaction()', () => {
  it('begins when it is subscribed to, anew for each subscriber', async () => {
    await using all = await start();
    const { sim, producer } = all;
    let runs = 0;
    const transaction = producer.transaction((txn) => from(send(txn, `${++runs}`)));
    await sim.advance(1000);
    expect([runs, sim.cluster.inspect().requests]).toEqual([0, {}]);
    for (const run of [1, 2]) {
      const seen = watch(transaction);
      await sim.until(() => seen.isComplete);
      expect([run, seen.values.length]).toEqual([run, 1]);
    }
    expect(counted(sim)).toEqual(['1', '2']);
  });

  it('completes when it is committed, not before', async () => {
    await using all = await start();
    const { sim, producer } = all;
    sim.cluster.delay('EndTxn', 5000);
    const done = new Subject<never>();
    const seen = watch(
      producer.transaction((txn) => concat(from(send(txn, 'a')).pipe(map(() => 'sent')), done)),
    );
    await sim.until(() => seen.values.length === 1);
    done.complete();
    await sim.advance(4000);
    expect([seen.values, seen.isComplete]).toEqual([['sent'], false]);
    await sim.until(() => seen.isComplete);
    expect(ends(sim)).toEqual(['committed']);
  });

  it('of nothing completes, and never where nothing ends', async () => {
    await using all = await start();
    const { sim, producer } = all;
    const empty = watch(producer.transaction(() => EMPTY));
    await sim.until(() => empty.isComplete);
    const never = watch(producer.transaction(() => NEVER));
    await sim.advance(30_000);
    expect([never.isComplete, never.error]).toEqual([false, undefined]);
    never.subscription.unsubscribe();
    await sim.calm();
    await goesOn(sim, producer);
  });

  it.each([
    [
      'an error',
      (txn: Transaction) =>
        from(send(txn, 'a')).pipe(mergeMap(() => throwError(() => new Error('mine')))),
    ],
    [
      'a function that throws',
      (txn: Transaction) => {
        void send(txn, 'a').catch(() => undefined);
        throw new Error('mine');
      },
    ],
  ])('aborts for %s, and tells after that', async (_, project) => {
    await using all = await start();
    const { sim, producer } = all;
    sim.cluster.delay('EndTxn', 2000);
    const seen = watch(producer.transaction<unknown>(project));
    await sim.until(() => seen.error !== undefined);
    expect(String(seen.error)).toContain('mine');
    expect([ends(sim), counted(sim)]).toEqual([['aborted'], []]);
    await goesOn(sim, producer);
  });

  it('aborts when it is unsubscribed, also within a value or while it begins', async () => {
    await using all = await start();
    const { sim, producer } = all;
    const stuck = watch(producer.transaction((txn) => concat(from(send(txn, 'a')), NEVER)));
    await sim.until(() => stuck.values.length === 1);
    stuck.subscription.unsubscribe();
    await sim.until(() => ends(sim).length === 1);
    const enough = watch(
      producer.transaction((txn) => concat(of(1, 2), from(send(txn, 'b')))).pipe(take(1)),
    );
    await sim.until(() => ends(sim).length === 2);
    expect([enough.values, enough.isComplete]).toEqual([[1], true]);
    const early = watch(producer.transaction((txn) => from(send(txn, 'c'))));
    early.subscription.unsubscribe();
    await sim.calm();
    expect(early.values).toEqual([]);
    expect([ends(sim).includes('committed'), counted(sim)]).toEqual([false, []]);
    await goesOn(sim, producer);
  });

  it('is committed all the same when it is unsubscribed once that was asked for', async () => {
    await using all = await start();
    const { sim, producer } = all;
    sim.cluster.delay('EndTxn', 2000);
    const seen = watch(producer.transaction((txn) => from(send(txn, 'a'))));
    await sim.until(() => (sim.cluster.inspect().requests['EndTxn'] ?? 0) === 1);
    seen.subscription.unsubscribe();
    await sim.until(() => ends(sim).length === 1);
    expect([ends(sim), counted(sim)]).toEqual([['committed'], ['a']]);
    await goesOn(sim, producer);
  });

  it('fails where it can’t begin: while another is under way, or without permission', async () => {
    await using all = await start();
    const { sim, producer } = all;
    const first = watch(producer.transaction(() => NEVER));
    await sim.calm();
    const second = watch(producer.transaction(() => EMPTY));
    await sim.until(() => second.error !== undefined);
    expect(second.error).toMatchObject({ code: 'TRANSACTION_IN_PROGRESS' });
    first.subscription.unsubscribe();
    sim.cluster.failNext('InitProducerId', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
    const other = watch(
      sim
        .kafka()
        .producer({ transactionalId: 'other' })
        .transaction(() => EMPTY),
    );
    await sim.until(() => other.error !== undefined);
    expect(other.error).toBeInstanceOf(AuthorizationError);
    const plain = watch(
      sim
        .kafka()
        .producer()
        .transaction(() => EMPTY),
    );
    await sim.until(() => plain.error !== undefined);
    expect(plain.error).toMatchObject({ code: 'NOT_TRANSACTIONAL' });
  });

  it('can’t be committed after a record of it failed, though nobody looked', async () => {
    await using all = await start();
    const { sim, producer } = all;
    const seen = watch(
      producer.transaction((txn) => {
        void send(txn, 'x'.repeat(2_000_000)).catch(() => undefined);
        return from(send(txn, 'a'));
      }),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toBeInstanceOf(TransactionAbortedError);
    expect([ends(sim), counted(sim)]).toEqual([['aborted'], []]);
  });

  it('tells that the producer is fenced, whatever else went wrong', async () => {
    await using all = await start();
    const { sim, producer } = all;
    const done = new Subject<never>();
    const seen = watch(producer.transaction((txn) => concat(from(send(txn, 'a')), done)));
    await sim.until(() => seen.values.length === 1);
    await sim.run(sim.kafka().producer({ transactionalId: 'id' }).initTransactions());
    done.error(new Error('mine'));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toBeInstanceOf(FencedError);
    expect(counted(sim)).toEqual([]);
  });
});

describe('a transaction that has ended', () => {
  it.each(['commit', 'abort'] as const)('takes nothing more: %s', async (how) => {
    await using all = await start();
    const { sim, producer } = all;
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(send(txn, 'a'));
    await sim.run(txn[how]());
    expect(txn.isOpen).toBe(false);
    const offsets = [{ topic: TOPIC, partition: 0, offset: 1 }];
    const sunk = watch(of({ topic: TOPIC, value: 'late' }).pipe(toTransaction(txn)));
    await sim.until(() => sunk.error !== undefined);
    for (const error of [
      sunk.error,
      await sim.run(rejectionOf(send(txn, 'late'))),
      await sim.run(rejectionOf(txn.sendOffsets({ groupId: 'g' }, offsets))),
      await sim.run(rejectionOf(txn.commit())),
    ]) {
      expect(error).toMatchObject({ code: 'TRANSACTION_ENDED' });
    }
    // In a finally block it is called whatever has happened.
    await sim.run(txn.abort());
    expect(ends(sim)).toEqual([how === 'commit' ? 'committed' : 'aborted']);
    expect(counted(sim)).toEqual(how === 'commit' ? ['a'] : []);
    await goesOn(sim, producer);
  });

  it('doesn’t end the next one', async () => {
    await using all = await start();
    const { sim, producer } = all;
    const first = await sim.run(producer.beginTransaction());
    await sim.run(first.commit());
    const second = await sim.run(producer.beginTransaction());
    await sim.run(send(second, 'a'));
    await sim.run(first.abort());
    await sim.run(send(second, 'b'));
    await sim.run(second.commit());
    expect(counted(sim)).toEqual(['a', 'b']);
  });
});
