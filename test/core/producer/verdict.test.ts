import { describe, expect, it } from 'vitest';
import { brokerErrors } from '../../../src/core/protocol/index.js';
import {
  isAmbiguous,
  judge,
  type BatchAnswer,
  type BatchFacts,
} from '../../../src/core/producer/verdict.js';
import { startSequences, type PartitionSequences } from '../../../src/core/producer/sequences.js';

const identity = { producerId: 7, epoch: 0 };
const fresh = startSequences(identity);
const ackedUpTo9: PartitionSequences = { ...fresh, next: 20, lastAcked: 9 };

function codeOf(name: string): number {
  const found = brokerErrors.find((error) => error.name === name);
  if (found === undefined) throw new Error(`there is no error ${name}`);
  return found.code;
}

function answer(error: string, rest: Partial<BatchAnswer> = {}): BatchAnswer {
  return {
    errorCode: codeOf(error),
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    errorMessage: null,
    recordErrors: [],
    ...rest,
  };
}

function facts(rest: Partial<BatchFacts> = {}): BatchFacts {
  return {
    recordCount: 5,
    firstSequence: 10,
    mayBeWritten: false,
    attemptsLeft: 3,
    sequences: ackedUpTo9,
    isTransactional: false,
    ...rest,
  };
}

const notItsTurn = facts({ firstSequence: 15 });
const notIdempotent = facts({ sequences: undefined, firstSequence: -1 });

describe('what the answer to a batch means', () => {
  it.each([
    ['NONE', facts(), 'acknowledge'],
    ['DUPLICATE_SEQUENCE_NUMBER', facts(), 'acknowledge'],
    ['NOT_LEADER_OR_FOLLOWER', facts(), 'retry'],
    ['NOT_ENOUGH_REPLICAS', facts(), 'retry'],
    ['UNKNOWN_TOPIC_OR_PARTITION', facts(), 'retry'],
    ['UNKNOWN_TOPIC_ID', facts(), 'retry'],
    ['NETWORK_EXCEPTION', facts(), 'retry'],
    ['REQUEST_TIMED_OUT', facts({ attemptsLeft: 0 }), 'fail'],
    ['TOPIC_AUTHORIZATION_FAILED', facts(), 'fail'],
    ['INVALID_PRODUCER_EPOCH', facts({ isTransactional: true }), 'fail'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', facts({ isTransactional: true }), 'fail'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', { ...notItsTurn, isTransactional: true }, 'retry'],
    ['CONCURRENT_TRANSACTIONS', facts({ isTransactional: true }), 'retry'],
    ['INVALID_RECORD', facts(), 'fail'],
    ['MESSAGE_TOO_LARGE', facts(), 'split'],
    ['RECORD_LIST_TOO_LARGE', facts(), 'split'],
    ['MESSAGE_TOO_LARGE', facts({ attemptsLeft: 0 }), 'split'],
    ['MESSAGE_TOO_LARGE', facts({ recordCount: 1 }), 'fail'],
    ['MESSAGE_TOO_LARGE', facts({ mayBeWritten: true }), 'fail'],
    ['MESSAGE_TOO_LARGE', { ...notIdempotent, mayBeWritten: true }, 'split'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', notIdempotent, 'fail'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', facts({ attemptsLeft: 0 }), 'fail'],
  ] as const)('%s of %o: %s', (error, batch, verdict) => {
    expect(judge(answer(error), batch).type).toBe(verdict);
  });

  it('gives the offset and time of what was written', () => {
    expect(judge(answer('NONE', { baseOffset: 42, logAppendTimeMs: 99 }), facts())).toEqual({
      type: 'acknowledge',
      baseOffset: 42,
      logAppendTimeMs: 99,
    });
  });

  it('does not know the offset of a duplicate that the broker has forgotten', () => {
    expect(judge(answer('DUPLICATE_SEQUENCE_NUMBER'), facts())).toMatchObject({ baseOffset: -1 });
  });

  it('waits its turn where an earlier batch is still to be repeated', () => {
    const verdict = judge(answer('OUT_OF_ORDER_SEQUENCE_NUMBER'), notItsTurn);
    expect(verdict).toMatchObject({ type: 'retry', restarts: false });
  });

  it('fails what others have overtaken, which could only be written behind them', () => {
    const overtaken = facts({ firstSequence: 0 });
    expect(judge(answer('OUT_OF_ORDER_SEQUENCE_NUMBER'), overtaken).type).toBe('fail');
  });

  it('takes a new epoch where the next expected batch is out of order', () => {
    const verdict = judge(answer('OUT_OF_ORDER_SEQUENCE_NUMBER'), facts());
    expect(verdict).toMatchObject({ type: 'retry', restarts: true });
  });

  it('takes a new epoch where a given-up batch turns out not to be written', () => {
    const sequences: PartitionSequences = { ...ackedUpTo9, disorder: 'unresolved' };
    const verdict = judge(answer('OUT_OF_ORDER_SEQUENCE_NUMBER'), { ...notItsTurn, sequences });
    expect(verdict).toMatchObject({ type: 'retry', restarts: true });
  });

  it('goes by the start of the log where the broker does not know the producer', () => {
    const lost = answer('UNKNOWN_PRODUCER_ID', { logStartOffset: 30 });
    expect(judge(lost, facts())).toMatchObject({ type: 'retry', restarts: true });
    const unclear = answer('UNKNOWN_PRODUCER_ID', { logStartOffset: -1 });
    expect(judge(unclear, facts())).toMatchObject({ type: 'retry', restarts: false });
  });

  it('drops the records at fault and keeps the others (KIP-467)', () => {
    const recordErrors = [{ batchIndex: 2, batchIndexErrorMessage: 'no key' }];
    expect(judge(answer('INVALID_RECORD', { recordErrors }), facts())).toMatchObject({
      type: 'drop-records',
      records: new Map([[2, 'no key']]),
    });
  });

  it('does not repeat a batch for ever whose broker names records that it does not have', () => {
    const recordErrors = [{ batchIndex: 5, batchIndexErrorMessage: null }];
    expect(judge(answer('INVALID_RECORD', { recordErrors }), facts()).type).toBe('fail');
  });

  it('does not drop records of a batch that may have been written by an earlier attempt', () => {
    const recordErrors = [{ batchIndex: 2, batchIndexErrorMessage: 'too old' }];
    const verdict = judge(
      answer('INVALID_TIMESTAMP', { recordErrors }),
      facts({ mayBeWritten: true }),
    );
    expect(verdict.type).toBe('fail');
  });

  it('leaves open whether a batch was written only where the broker may have done so', () => {
    const open = brokerErrors.filter(({ code }) =>
      isAmbiguous({ ...answer('NONE'), errorCode: code }),
    );
    expect(open.map(({ name }) => name).sort()).toEqual([
      'KAFKA_STORAGE_ERROR',
      'NETWORK_EXCEPTION',
      'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
      'REQUEST_TIMED_OUT',
      'UNKNOWN_SERVER_ERROR',
    ]);
  });
});
