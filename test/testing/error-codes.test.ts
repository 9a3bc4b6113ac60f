import { expect, test } from 'vitest';
import { brokerErrors } from '../../src/core/protocol/index.js';
import { errorCodeOf, Errors } from '../../src/testing/error-codes.js';

test('an error is found by Kafka’s name, and a number is one already', () => {
  for (const { name, code } of brokerErrors) expect(errorCodeOf(name)).toBe(code);
  expect(errorCodeOf(6)).toBe(6);
  expect(Errors.NOT_LEADER_OR_FOLLOWER).toBe(6);
});

test('a name that Kafka does not have is refused, with those that are like it', () => {
  expect(() => errorCodeOf('COORDINATOR_GONE')).toThrow(/did you mean .*COORDINATOR_NOT_AVAILABLE/);
  expect(() => errorCodeOf('ZZZ')).toThrow("Kafka has no error named 'ZZZ'");
});
