import { expect, test } from 'vitest';
import { BriefMap } from '../../../src/core/util/brief-map.js';

test('what is added can be looked up, and is taken out once, in any order', () => {
  const map = new BriefMap<object, { readonly name: string }>();
  const keys = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
  for (const key of keys) map.add(key, { name: `of ${key.name}` });
  expect(keys.map((key) => map.get(key)?.name)).toEqual(['of a', 'of b', 'of c', 'of d']);
  expect(map.get({})).toBeUndefined();
  for (const at of [1, 3, 0, 2]) {
    expect(map.take(keys[at]!)?.name).toBe(`of ${keys[at]!.name}`);
    expect(map.get(keys[at]!)).toBeUndefined();
    expect(map.take(keys[at]!)).toBeUndefined();
  }
});

test('what left may come again, between others', () => {
  const map = new BriefMap<object, object>();
  const [first, second] = [{}, {}];
  map.add(first, first);
  map.add(second, second);
  expect(map.take(first)).toBe(first);
  map.add(first, second);
  expect([map.get(first), map.get(second)]).toEqual([second, second]);
});
