import type { Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';

/**
 * Waits.
 *
 * @throws KafkaError with code `ABORTED` as soon as the signal says so.
 */
export function pause(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(aborted());
      return;
    }
    const stop = () => {
      cancel();
      reject(aborted());
    };
    const cancel = clock.schedule(waitMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}

export function aborted(): KafkaError {
  return new KafkaError('The consumer is closed', { code: 'ABORTED' });
}

/** Whether a failure only says that the consumer has stopped waiting. */
export function isAborted(error: unknown): boolean {
  return (
    error instanceof KafkaError && (error.code === 'ABORTED' || error.code === 'CLIENT_CLOSED')
  );
}
