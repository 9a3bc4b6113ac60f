import { describe, expect, it } from 'vitest';
import {
  isFencing,
  judgeCoordinator,
  worstOf,
} from '../../../../src/core/producer/transactions/judge.js';
import { brokerErrors } from '../../../../src/core/protocol/index.js';
import { errorNamed } from './machine.js';

describe('what a coordinator’s error means', () => {
  it.each([
    ['init-producer-id', 'NONE', 'success'],
    ['init-producer-id', 'CONCURRENT_TRANSACTIONS', 'retry-soon'],
    ['init-producer-id', 'COORDINATOR_LOAD_IN_PROGRESS', 'retry'],
    ['init-producer-id', 'NOT_COORDINATOR', 'retry'],
    ['init-producer-id', 'PRODUCER_FENCED', 'fatal'],
    ['init-producer-id', 'INVALID_PRODUCER_EPOCH', 'fatal'],
    ['init-producer-id', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'fatal'],
    ['init-producer-id', 'INVALID_TRANSACTION_TIMEOUT', 'fatal'],
    ['init-producer-id', 'INVALID_PRODUCER_ID_MAPPING', 'fatal'],
    ['add-partitions', 'CONCURRENT_TRANSACTIONS', 'retry-soon'],
    ['add-partitions', 'UNKNOWN_TOPIC_OR_PARTITION', 'retry'],
    ['add-partitions', 'COORDINATOR_NOT_AVAILABLE', 'retry'],
    ['add-partitions', 'TOPIC_AUTHORIZATION_FAILED', 'abort'],
    ['add-partitions', 'OPERATION_NOT_ATTEMPTED', 'abort'],
    ['add-partitions', 'UNKNOWN_PRODUCER_ID', 'abort-and-bump'],
    ['add-partitions', 'INVALID_PRODUCER_ID_MAPPING', 'bump'],
    ['add-partitions', 'INVALID_PRODUCER_EPOCH', 'fatal'],
    ['add-partitions', 'PRODUCER_FENCED', 'fatal'],
    ['add-partitions', 'INVALID_TXN_STATE', 'fatal'],
    ['add-offsets', 'GROUP_AUTHORIZATION_FAILED', 'abort'],
    ['add-offsets', 'TRANSACTION_ABORTABLE', 'abort'],
    ['add-offsets', 'PRODUCER_FENCED', 'fatal'],
    ['commit-offsets', 'ILLEGAL_GENERATION', 'abort'],
    ['commit-offsets', 'UNKNOWN_MEMBER_ID', 'abort'],
    ['commit-offsets', 'FENCED_INSTANCE_ID', 'abort'],
    ['commit-offsets', 'STALE_MEMBER_EPOCH', 'abort'],
    ['commit-offsets', 'UNKNOWN_TOPIC_OR_PARTITION', 'retry'],
    ['commit-offsets', 'INVALID_PRODUCER_EPOCH', 'fatal'],
    ['commit-offsets', 'OFFSET_METADATA_TOO_LARGE', 'fatal'],
    ['end', 'CONCURRENT_TRANSACTIONS', 'retry-soon'],
    ['end', 'TRANSACTION_ABORTABLE', 'abort'],
    ['end', 'UNKNOWN_PRODUCER_ID', 'abort-and-bump'],
    ['end', 'INVALID_PRODUCER_EPOCH', 'fatal'],
    ['end', 'PRODUCER_FENCED', 'fatal'],
    ['end', 'INVALID_TXN_STATE', 'fatal'],
    ['end', 'GROUP_AUTHORIZATION_FAILED', 'fatal'],
  ] as const)('%s: %s is %s', (request, error, judgement) => {
    expect(judgeCoordinator(request, errorNamed(error))).toBe(judgement);
  });

  it('never takes an error for success', () => {
    for (const error of brokerErrors) {
      const isSuccess = judgeCoordinator('end', error) === 'success';
      expect(isSuccess).toBe(error.code === 0);
    }
  });
});

describe('of the errors of several partitions', () => {
  it.each([
    [['NONE', 'NONE'], 'NONE'],
    [['NONE', 'NOT_COORDINATOR', 'NONE'], 'NOT_COORDINATOR'],
    [['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED'], 'TOPIC_AUTHORIZATION_FAILED'],
    [['TOPIC_AUTHORIZATION_FAILED', 'PRODUCER_FENCED'], 'PRODUCER_FENCED'],
    [['OPERATION_NOT_ATTEMPTED', 'UNKNOWN_TOPIC_OR_PARTITION'], 'UNKNOWN_TOPIC_OR_PARTITION'],
    [['NONE', 'OPERATION_NOT_ATTEMPTED'], 'OPERATION_NOT_ATTEMPTED'],
  ])('%j: %s decides', (names, decisive) => {
    const [first, ...rest] = names.map(errorNamed);
    expect(worstOf('add-partitions', [first!, ...rest]).name).toBe(decisive);
  });
});

describe('fencing', () => {
  it('is what both errors of an old epoch mean', () => {
    expect(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'NONE'].map(isFencing)).toEqual([
      true,
      true,
      false,
    ]);
  });
});
