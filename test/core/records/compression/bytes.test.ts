import { expect, test, vi } from 'vitest';
import { free, put, putAndFree } from '../../../../src/core/records/compression/bytes.js';

const canDetach = 'transfer' in ArrayBuffer.prototype;

test('bytes are put where they belong, or not at all', () => {
  const target = Buffer.alloc(5);
  expect(put(Buffer.from('abc'), target, 1)).toBe(4);
  expect(target.toString('latin1')).toBe('\0abc\0');
  expect(() => put(Buffer.from('abc'), target, 3)).toThrow(RangeError);
});

test.runIf(canDetach)('memory of its own is gone after, from Node 22 on', () => {
  const bytes = Buffer.allocUnsafeSlow(10_000).fill('x');
  const target = Buffer.alloc(10_000);
  expect(putAndFree(bytes, target, 0)).toBe(10_000);
  expect(bytes).toHaveLength(0);
  expect(target.equals(Buffer.alloc(10_000, 'x'))).toBe(true);
});

test('memory that is shared stays', () => {
  const memory = Buffer.from('shared by two'.repeat(1000));
  free(memory.subarray(1));
  free(Buffer.from('from the pool of Node'));
  expect(memory).toHaveLength(13_000);
  expect(Buffer.from('still there').toString()).toBe('still there');
});

test('memory that can not be detached is left to the collector', () => {
  const bytes = Buffer.allocUnsafeSlow(10).fill('x');
  const transfer = vi.fn(() => {
    throw new TypeError('has a detach key');
  });
  Object.defineProperty(bytes.buffer, 'transfer', { value: transfer });
  free(bytes);
  expect(transfer).toHaveBeenCalledOnce();
  expect(bytes.toString()).toBe('xxxxxxxxxx');
});
