import type { ConsumerContext } from '../../src/core/consumer/context.js';
import type { ConsumerRun } from '../../src/core/consumer/run/run.js';
import type { Consumer } from '../../src/index.js';

/** What a consumer keeps to itself. */
interface Insides {
  readonly context: ConsumerContext;
  /** What is subscribed now. */
  readonly run: ConsumerRun | undefined;
}

/** Looks into a consumer, where what must hold can't be seen from outside. */
export function insidesOf(consumer: Consumer): Insides {
  return consumer as unknown as Insides;
}
