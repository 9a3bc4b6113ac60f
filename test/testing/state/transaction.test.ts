import { describe, expect, test } from 'vitest';
import { brokerError } from '../../../src/core/protocol/index.js';
import { orRejection, Rejection } from '../../../src/testing/state/rejection.js';
import { addToTransaction } from '../../../src/testing/state/transactions/add-to-transaction.js';
import {
  completed,
  endAndRaise,
  endTransaction,
  fenceTransaction,
  successorOf,
  type Ending,
} from '../../../src/testing/state/transactions/end-transaction.js';
import { initProducer } from '../../../src/testing/state/transactions/init-producer.js';
import {
  newTransaction,
  transactionStates,
  type Claim,
  type Transaction,
  type TransactionState,
} from '../../../src/testing/state/transactions/transaction.js';

const ID = 7;
const LAST = 0x7ffe;
const fresh = newTransaction('payments', ID);
const at = (state: TransactionState, more: Partial<Transaction> = {}): Transaction => ({
  ...fresh,
  state,
  epoch: 3,
  timeoutMs: 1000,
  ...more,
});
const claim = (epoch: number, producerId = ID): Claim => ({ epoch, producerId });

/** What comes of an attempt, or the name of the error. */
function outcomeOf<T>(attempt: () => T): T | string {
  const outcome = orRejection(attempt);
  return outcome instanceof Rejection ? brokerError(outcome.errorCode).name : outcome;
}

const newId = () => 100;
const init = (transaction: Transaction, who?: Claim) =>
  outcomeOf(() => initProducer(transaction, { timeoutMs: 5, claim: who }, newId));

describe('a producer is given', () => {
  test('epoch 0 at first, whatever it says that it was', () => {
    expect(init(fresh)).toMatchObject({ producerId: ID, epoch: 0, state: 'Empty', timeoutMs: 5 });
    expect(init(fresh, claim(9, 5))).toMatchObject({ producerId: ID, epoch: 0 });
  });

  test.each(['Empty', 'CompleteCommit', 'CompleteAbort'] as const)(
    'the next epoch after %s, and nothing of the transaction before',
    (state) => {
      expect(init(at(state, { startedAtMs: 9 }))).toMatchObject({
        producerId: ID,
        epoch: 4,
        previousEpoch: -1,
        state: 'Empty',
        startedAtMs: -1,
      });
    },
  );

  test.each(['PrepareCommit', 'PrepareAbort'] as const)('nothing during %s', (state) => {
    expect(init(at(state))).toBe('CONCURRENT_TRANSACTIONS');
  });

  test('nothing while a transaction is open, which is to be aborted', () => {
    expect(init(at('Ongoing'))).toBe('fence');
    expect(init(at('Ongoing'), claim(3))).toBe('fence');
  });

  test('the same epoch again when it repeats its question', () => {
    const next = init(at('Empty'), claim(3)) as Transaction;
    expect(next).toMatchObject({ epoch: 4, previousEpoch: 3 });
    expect(init(next, claim(3))).toMatchObject({ epoch: 4, previousEpoch: 3 });
    expect(init(next, claim(2))).toBe('PRODUCER_FENCED');
    // Somebody else has asked in between.
    expect(init(init(next) as Transaction, claim(4))).toBe('PRODUCER_FENCED');
  });

  test('a new producer id when the epochs are used up, also when it repeats that', () => {
    const last = at('Empty', { epoch: LAST });
    const next = init(last, claim(LAST)) as Transaction;
    expect(next).toMatchObject({ producerId: 100, epoch: 0, previousProducerId: ID });
    expect(init(next, claim(LAST))).toMatchObject({ producerId: 100, epoch: 0 });
    expect(init(last)).toMatchObject({ producerId: 100, epoch: 0, previousEpoch: -1 });
    expect(init(next, claim(LAST - 1))).toBe('PRODUCER_FENCED');
  });
});

test('partitions and groups take part once, and the first begins the transaction', () => {
  const addition = { partitions: [{ topic: 'a', index: 0 }], groups: [], risesAtEnd: true };
  const open = addToTransaction(at('CompleteAbort'), claim(3), addition, 50);
  expect(open).toMatchObject({
    state: 'Ongoing',
    startedAtMs: 50,
    partitions: addition.partitions,
  });
  expect(addToTransaction(open, claim(3), addition, 60)).toBe(open);
  const more = { partitions: [], groups: ['g'], risesAtEnd: true };
  const wider = addToTransaction(open, claim(3), more, 60);
  expect(wider).toMatchObject({ startedAtMs: 50, groups: ['g'], partitions: addition.partitions });
});

test('nobody else adds to a transaction, nor anybody to one that is about to end', () => {
  const addition = { partitions: [], groups: ['g'], risesAtEnd: false };
  const add = (transaction: Transaction, who: Claim) =>
    outcomeOf(() => addToTransaction(transaction, who, addition, 0));
  expect(add(at('Ongoing'), claim(3, 8))).toBe('INVALID_PRODUCER_ID_MAPPING');
  expect(add(at('Ongoing'), claim(2))).toBe('PRODUCER_FENCED');
  expect(add(at('Ongoing'), claim(4))).toBe('PRODUCER_FENCED');
  expect(add(at('PrepareCommit'), claim(3))).toBe('CONCURRENT_TRANSACTIONS');
});

describe('an end', () => {
  const stateAfter = (outcome: Transaction | string) =>
    typeof outcome === 'string' ? outcome : outcome.state;
  const refused = 'INVALID_TXN_STATE';
  const later = 'CONCURRENT_TRANSACTIONS';

  test('comes of every state as it should, where epochs do not rise', () => {
    const end = (state: TransactionState, ending: Ending) =>
      stateAfter(outcomeOf(() => endTransaction(at(state), claim(3), ending)));
    expect(
      transactionStates.map((state) => [state, end(state, 'commit'), end(state, 'abort')]),
    ).toEqual([
      ['Empty', refused, refused],
      ['Ongoing', 'PrepareCommit', 'PrepareAbort'],
      ['PrepareCommit', later, refused],
      ['PrepareAbort', refused, later],
      ['CompleteCommit', 'CompleteCommit', refused],
      ['CompleteAbort', refused, 'CompleteAbort'],
    ]);
    expect(outcomeOf(() => endTransaction(at('Ongoing'), claim(2), 'abort'))).toBe(
      'PRODUCER_FENCED',
    );
    expect(outcomeOf(() => endTransaction(at('Ongoing'), claim(3, 8), 'abort'))).toBe(
      'INVALID_PRODUCER_ID_MAPPING',
    );
  });

  test('comes of every state as it should, where epochs rise', () => {
    const end = (state: TransactionState, ending: Ending, epoch: number) =>
      stateAfter(outcomeOf(() => endAndRaise(at(state), claim(epoch), ending, 0, newId)));
    const ends = (epoch: number) =>
      transactionStates.map((state) => [
        state,
        end(state, 'commit', epoch),
        end(state, 'abort', epoch),
      ]);
    const fenced = 'PRODUCER_FENCED';
    expect(ends(3)).toEqual([
      ['Empty', refused, 'PrepareAbort'],
      ['Ongoing', 'PrepareCommit', 'PrepareAbort'],
      ['PrepareCommit', fenced, fenced],
      ['PrepareAbort', fenced, fenced],
      ['CompleteCommit', refused, 'PrepareAbort'],
      ['CompleteAbort', refused, 'PrepareAbort'],
    ]);
    expect(ends(2)).toEqual([
      ['Empty', fenced, fenced],
      ['Ongoing', fenced, fenced],
      ['PrepareCommit', later, refused],
      ['PrepareAbort', refused, later],
      ['CompleteCommit', 'CompleteCommit', refused],
      ['CompleteAbort', refused, 'CompleteAbort'],
    ]);
  });

  test('with the last epoch leads to a new producer id, also when it is repeated', () => {
    const open = at('Ongoing', { epoch: LAST });
    const ending = endAndRaise(open, claim(LAST), 'commit', 0, newId);
    expect(ending).toMatchObject({ producerId: ID, epoch: 0x7fff, nextProducerId: 100 });
    expect(successorOf(ending)).toEqual({ producerId: 100, epoch: 0 });
    const repeat = (transaction: Transaction, how: Ending = 'commit') =>
      outcomeOf(() => endAndRaise(transaction, claim(LAST), how, 0, newId));
    expect(repeat(ending)).toBe(later);
    const ended = completed(ending);
    expect(ended).toMatchObject({ producerId: 100, epoch: 0, state: 'CompleteCommit' });
    expect(repeat(ended)).toBe(ended);
    expect(repeat(ended, 'abort')).toBe(refused);
  });

  test('by the coordinator fences the producer, who may go on where epochs rise', () => {
    const fencedOld = fenceTransaction(at('Ongoing'), false);
    expect(fencedOld).toMatchObject({ state: 'PrepareAbort', epoch: 4 });
    expect(init(completed(fencedOld), claim(3))).toBe('PRODUCER_FENCED');
    const fencedNew = fenceTransaction(at('Ongoing'), true);
    expect(init(completed(fencedNew), claim(3))).toMatchObject({ epoch: 4 });
    expect(init(completed(fencedNew))).toMatchObject({ epoch: 5 });
  });
});
