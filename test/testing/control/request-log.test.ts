import { expect, test } from 'vitest';
import { apis } from '../../../src/core/protocol/index.js';
import { RequestLog } from '../../../src/testing/control/request-log.js';

test('requests are counted for each broker and for all', () => {
  const log = new RequestLog();
  log.count(1, apis.Fetch);
  log.count(1, apis.Fetch);
  log.count(2, apis.Fetch);
  log.count(2, apis.Produce);
  expect(log.of(1)).toEqual({ Fetch: 2 });
  expect(log.of(2)).toEqual({ Fetch: 1, Produce: 1 });
  expect(log.of(3)).toEqual({});
  expect(log.total(apis.Fetch.key)).toBe(3);
  expect(log.total(apis.Metadata.key)).toBe(0);
});

test('only the newest hundred complaints are kept', () => {
  const log = new RequestLog();
  for (let i = 0; i < 150; i++) log.complain(`complaint ${i}`);
  expect(log.complaints).toHaveLength(100);
  expect(log.complaints[0]).toBe('complaint 50');
  expect(log.complaints.at(-1)).toBe('complaint 149');
});

test('those who wait are woken by the request they wait for, and no other', async () => {
  const log = new RequestLog();
  const woken: string[] = [];
  const first = log.whenTotal(apis.Fetch.key, 1).then(() => woken.push('first'));
  const second = log.whenTotal(apis.Fetch.key, 2).then(() => woken.push('second'));
  log.count(1, apis.Produce);
  log.count(1, apis.Fetch);
  await first;
  expect(woken).toEqual(['first']);
  log.count(2, apis.Fetch);
  await second;
});
