import { expect, test } from 'vitest';
import { complaintOnTopicName } from '../../../src/testing/state/topic.js';

test.each(['orders', 'a', 'a.b_c-D9', '...', 'x'.repeat(249)])(
  'a topic may be named %s',
  (name) => {
    expect(complaintOnTopicName(name)).toBeUndefined();
  },
);

test.each([
  ['', 'empty'],
  ['.', 'not allowed'],
  ['..', 'not allowed'],
  ['x'.repeat(250), 'longer than'],
  ['a b', 'other than ASCII'],
  ['größe', 'other than ASCII'],
  ['a/b', 'other than ASCII'],
])('no topic may be named "%s"', (name, complaint) => {
  expect(complaintOnTopicName(name)).toContain(complaint);
});
