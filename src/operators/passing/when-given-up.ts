import type { ConsumerRecord } from '../../core/consumer/index.js';

type Awaited = Pick<ConsumerRecord<unknown, unknown>, 'signal' | 'onGivenUp'>;

/**
 * Calls back where a nacked record that is waited for won't come again after all.
 *
 * @returns a function that listens no more.
 */
export function whenGivenUp(nacked: Awaited, giveUp: () => void): () => void {
  const { signal } = nacked;
  const forget = nacked.onGivenUp(giveUp);
  // It may have come again, and gone back before it came here.
  signal.addEventListener('abort', giveUp);
  return () => {
    forget();
    signal.removeEventListener('abort', giveUp);
  };
}
