import { describe, expect, test } from 'vitest';
import { brokerPattern, matchingTopics, topicMatcher } from '../../../src/core/group/pattern.js';

describe('matching by the client', () => {
  test.each([
    [/orders/, 'orders', true],
    [/orders/, 'orders-1', false],
    [/order|clicks/, 'clicks', true],
    [/order|clicks/, 'clicks-1', false],
    [/ORDERS/i, 'orders', true],
    [/orders-\d/g, 'orders-1', true],
  ])('%s and %s: %s', (pattern, topic, isMatch) => {
    const matches = topicMatcher(pattern);
    // Twice: a pattern with the flag g must not remember.
    expect([matches(topic), matches(topic)]).toEqual([isMatch, isMatch]);
  });

  test('leaves internal topics out, if wanted', () => {
    const topics = [
      { name: 'b', isInternal: false },
      { name: '__consumer_offsets', isInternal: true },
      { name: 'a', isInternal: false },
    ];
    expect(matchingTopics(topics, /.*/, true)).toEqual(['a', 'b']);
    expect(matchingTopics(topics, /.*/, false)).toEqual(['__consumer_offsets', 'a', 'b']);
  });
});

describe('matching by the broker', () => {
  test.each([
    [/orders/],
    [/orders-\d+/],
    [/(?:orders|clicks)-[a-z0-9]{2,3}/],
    [/(orders|clicks)\.eu/],
    [/[^_].*/],
    [/a*?b/],
    [/orders-$/],
  ])('%s means the same there', (pattern) => {
    expect(brokerPattern(pattern, true)).toBe(pattern.source);
  });

  test.each([
    ['flags', /orders/i],
    ['lookahead', /(?!__).*/],
    ['lookbehind', /.*(?<!-dlq)/],
    ['back references', /(a)\1/],
    ['named groups', /(?<name>a)/],
    ['escapes that only JavaScript has', /\u0061/],
    ['control escapes', /\cA/],
    ['an empty class', /a[^]/],
    ['a bracket in a class', /[[a]/],
    ['more repetitions than RE2 takes', /a{1001}/],
  ])('%s may not', (_, pattern) => {
    expect(brokerPattern(pattern, true)).toBeUndefined();
  });

  test('a pattern that would take in internal topics is matched here instead, for brokers leave none out', () => {
    expect(brokerPattern(/.*/, true)).toBeUndefined();
    expect(brokerPattern(/.*/, false)).toBe('.*');
  });
});
