import type { KafkaError } from '../util/errors.js';
import type { Accumulator } from './accumulator.js';
import type { Batch } from './batch.js';
import { inDoubt } from './errors.js';
import type { ProducerMetrics } from './metrics.js';

/** Fails whatever is at hand, sent or not: nothing more can be written. */
export function failAll(accumulator: Accumulator, errorOf: (batch: Batch) => KafkaError): void {
  for (const queue of [...accumulator.active]) {
    for (const batch of [...queue.all()]) {
      queue.remove(batch);
      if (batch.isSettled) continue;
      if (batch.isAwaited) batch.mayBeWritten = true;
      accumulator.release(batch);
      batch.fail(inDoubt(errorOf(batch), batch));
    }
    accumulator.active.delete(queue);
  }
}

/** Fails what no broker has seen. What was numbered goes on, for what follows counts on it. */
export function failUnsent(
  accumulator: Accumulator,
  metrics: ProducerMetrics,
  error: KafkaError,
): void {
  for (const queue of [...accumulator.active]) {
    for (const batch of [...queue.all()]) {
      if (batch.hasSequence || batch.isSettled) continue;
      queue.remove(batch);
      accumulator.release(batch);
      metrics.failed(batch.topic, batch.recordCount);
      batch.fail(error);
    }
    if (queue.isEmpty) accumulator.active.delete(queue);
  }
}

/** Gives up the oldest batch that was never sent, if it may be dropped, and tells nobody. */
export function dropOldest(
  accumulator: Accumulator,
  mayDrop: (batch: Batch) => boolean,
): Batch | undefined {
  const oldest = accumulator.oldestUnsent(mayDrop);
  if (oldest === undefined) return undefined;
  const { queue, batch } = oldest;
  queue.remove(batch);
  if (queue.isEmpty) accumulator.active.delete(queue);
  batch.supersede();
  accumulator.release(batch);
  return batch;
}
