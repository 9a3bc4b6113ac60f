import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LazyAbort } from '../../../src/core/util/lazy-abort.js';

describe('an AbortController made when asked for', () => {
  it('aborts a signal that was asked for before, always the same one', () => {
    const abort = new LazyAbort();
    const { signal } = abort;
    expect(signal.aborted).toBe(false);
    expect(abort.signal).toBe(signal);

    abort.abort();

    expect(signal.aborted).toBe(true);
    expect(abort.signal).toBe(signal);
  });

  it('gives a signal that is aborted from the start where it was aborted before', () => {
    const abort = new LazyAbort();
    abort.abort();
    expect(abort.signal.aborted).toBe(true);
  });

  it('may be listened to by any number, without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const { signal } = new LazyAbort();
    for (let i = 0; i < 100; i++) signal.addEventListener('abort', () => i);
    await setImmediate();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});
