import { describe, expect, it } from 'vitest';
import { isOfSession, verdictOf } from '../../../../src/core/consumer/fetching/fetch-verdict.js';
import { brokerError } from '../../../../src/core/protocol/index.js';
import { errorCodeOf } from '../../../../src/testing/error-codes.js';

const errorOf = (name: string) => brokerError(errorCodeOf(name));

describe('what a broker says of one partition', () => {
  it.each([
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_ID',
    'INCONSISTENT_TOPIC_ID',
    'FENCED_LEADER_EPOCH',
    'UNKNOWN_LEADER_EPOCH',
    'REPLICA_NOT_AVAILABLE',
    'KAFKA_STORAGE_ERROR',
    'OFFSET_NOT_AVAILABLE',
    'UNKNOWN_SERVER_ERROR',
    'CORRUPT_MESSAGE',
  ])('is asked again when it is %s', (name) => {
    expect(verdictOf(errorOf(name), false)).toBe('retry');
  });

  it.each([
    'TOPIC_AUTHORIZATION_FAILED',
    'INVALID_TOPIC_EXCEPTION',
    'UNSUPPORTED_COMPRESSION_TYPE',
  ])('ends the stream when it is %s', (name) => {
    expect(verdictOf(errorOf(name), false)).toBe('fatal');
  });

  it('counts as out of range only from the leader', () => {
    const error = errorOf('OFFSET_OUT_OF_RANGE');
    expect(verdictOf(error, false)).toBe('out-of-range');
    expect(verdictOf(error, true)).toBe('retry');
  });
});

describe('what a broker says of a whole fetch', () => {
  it.each([
    ['FETCH_SESSION_ID_NOT_FOUND', true],
    ['INVALID_FETCH_SESSION_EPOCH', true],
    ['FETCH_SESSION_TOPIC_ID_ERROR', true],
    ['UNKNOWN_SERVER_ERROR', false],
  ])('concerns the session alone when it is %s: %s', (name, isIt) => {
    expect(isOfSession(errorOf(name))).toBe(isIt);
  });
});
