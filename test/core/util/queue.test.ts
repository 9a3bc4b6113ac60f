import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Queue } from '../../../src/core/util/queue.js';

test('behaves as an array does, whatever is done to it', () => {
  const step = fc.constantFrom('push', 'push', 'push', 'shift', 'unshift', 'peek', 'list');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new Queue<number>();
      const model: number[] = [];
      for (const [i, act] of steps.entries()) {
        if (act === 'push') queue.push(model[model.push(i) - 1]!);
        else if (act === 'unshift') {
          queue.unshift(i);
          model.unshift(i);
        } else if (act === 'shift') expect(queue.shift()).toBe(model.shift());
        else if (act === 'peek') expect(queue.peek()).toBe(model[0]);
        else expect([...queue]).toEqual(model);
        expect(queue.length).toBe(model.length);
      }
    }),
  );
});
