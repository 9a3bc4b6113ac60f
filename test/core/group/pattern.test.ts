import { describe, expect, it } from 'vitest';
import { brokerPattern, matchingTopics, topicMatcher } from '../../../src/core/group/pattern.js';

describe('a pattern', () => {
  it.each<[RegExp, string[], string[]]>([
    [/orders/, ['orders'], ['orders-1', 'reorders', 'Orders']],
    [/orders-\d+/, ['orders-1', 'orders-12'], ['orders-', 'orders-1a']],
    [/a|b/, ['a', 'b'], ['ab', 'ac']],
    [/orders/i, ['Orders', 'ORDERS'], ['orders1']],
    [/^orders$/, ['orders'], ['orders1']],
    [/o.*s/gy, ['orders', 'os'], ['order']],
  ])('%s matches a name as a whole', (pattern, matching, others) => {
    const matches = topicMatcher(pattern);
    for (const name of matching) expect([name, matches(name)]).toEqual([name, true]);
    for (const name of others) expect([name, matches(name)]).toEqual([name, false]);
    // One with g or y remembers where it was: a matcher must not.
    for (const name of matching) expect(matches(name)).toBe(true);
  });

  it('finds topics, sorted, without internal ones unless they are wanted', () => {
    const topics = [
      { name: '__orders', isInternal: true },
      { name: 'orders-2', isInternal: false },
      { name: 'orders-1', isInternal: false },
      { name: 'sales', isInternal: false },
    ];
    expect(matchingTopics(topics, /.*orders.*/, true)).toEqual(['orders-1', 'orders-2']);
    expect(matchingTopics(topics, /.*orders.*/, false)).toEqual([
      '__orders',
      'orders-1',
      'orders-2',
    ]);
  });
});

describe('brokers, which know RE2, are given a pattern', () => {
  it.each([/orders-\d+/, /(?:a|b)-[a-z_]+/, /orders\.v[0-9]{1,2}/, /sales-(eu|us)-.*/])(
    '%s, which means the same to them',
    (pattern) => {
      expect(brokerPattern(pattern, true)).toBe(pattern.source);
    },
  );

  it.each([
    ['flags', /orders/i],
    ['looking ahead', /(?=orders).*/],
    ['looking behind', /.*(?<=x)orders/],
    ['back-references', /(a)-\1/],
    ['names of groups', /(?<name>a)/],
    ['properties', /\p{L}+/u],
    ['escapes that differ', /\x41/],
    ['sets that differ', /[[:alpha:]]/],
    ['counts beyond what RE2 takes', /a{1001}/],
  ])('but not where it has %s', (_, pattern) => {
    expect(brokerPattern(pattern, true)).toBeUndefined();
  });

  it('but not where it would match internal topics that are not wanted: they leave none out', () => {
    expect(brokerPattern(/.*/, true)).toBeUndefined();
    expect(brokerPattern(/__consumer.*/, true)).toBeUndefined();
    expect(brokerPattern(/.*/, false)).toBe('.*');
  });
});
