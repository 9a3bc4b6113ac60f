import { Observable, type Subscriber } from 'rxjs';
import type { TopicPartition } from '../group/index.js';
import { KafkaError } from '../util/errors.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerContext } from './context.js';
import type { Decoder } from './delivering/decoder.js';
import type { ConsumerMetrics } from './metrics.js';
import type { Outlets } from './delivering/outlets.js';
import { ConsumerRun } from './run/run.js';
import { resolveTopics, type ConsumerTopics } from './topics.js';

/** Looks at a partition again that somebody wants records of. */
type Wake = (partition: AssignedPartition) => void;

/** What all runs of a consumer share. */
export interface SubscriptionParts {
  readonly decoder: Decoder;
  readonly metrics: ConsumerMetrics;
  /** Partitions that the user has paused, by name. */
  readonly paused: ReadonlyMap<string, TopicPartition>;
}

/** The runs of a consumer: one at a time, and the next when the one before has left. */
export class Subscriptions {
  private running: ConsumerRun | undefined;
  private isClosed = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly parts: SubscriptionParts,
  ) {}

  /** The run that is on, or leaving. */
  get current(): ConsumerRun | undefined {
    return this.running;
  }

  /** Refuses everything that is subscribed to from now on. */
  close(): void {
    this.isClosed = true;
  }

  /** @throws KafkaError with code `CONSUMER_CLOSED`. */
  throwIfClosed(): void {
    if (this.isClosed) throw closed();
  }

  /** A cold stream over one run. */
  stream<T>(
    topics: ConsumerTopics,
    outletsFor: (subscriber: Subscriber<T>, wake: Wake) => Outlets,
  ): Observable<T> {
    const { options, clock } = this.context;
    resolveTopics(topics, clock.now());
    return new Observable<T>((subscriber) => {
      let run: ConsumerRun | undefined;
      const leave = () =>
        void run?.end(options.abandonOnUnsubscribe ? 'abandoned' : 'unsubscribed');
      const start = () => {
        if (subscriber.closed) return;
        const before = this.running;
        const clientClosed = this.context.cluster.closeReason;
        if (this.isClosed || clientClosed !== undefined) {
          subscriber.error(clientClosed ?? closed());
        } else if (before?.isEnding === false) {
          subscriber.error(inUse());
        } else if (before !== undefined) {
          // One that is still leaving is waited for: a member must not race with its predecessor.
          void before.ended.then(start);
        } else {
          run = this.begin(topics, (wake) => outletsFor(subscriber, wake));
          // Whoever heard of it may have unsubscribed already: then this calls it at once.
          subscriber.add(leave);
        }
      };
      start();
    });
  }

  private begin(topics: ConsumerTopics, outletsFor: (wake: Wake) => Outlets): ConsumerRun {
    const run: ConsumerRun = new ConsumerRun(this.context, {
      source: resolveTopics(topics, this.context.clock.now()),
      outlets: outletsFor((partition) => run.wake(partition)),
      ...this.parts,
    });
    this.running = run;
    run.onEnded(() => {
      if (this.running === run) this.running = undefined;
    });
    run.start();
    return run;
  }
}

function closed(): KafkaError {
  return new KafkaError('The consumer is closed', { code: 'CONSUMER_CLOSED' });
}

function inUse(): KafkaError {
  return new KafkaError(
    'The consumer already has a subscription: it is one member of its group. Make another consumer ' +
      'for another pipeline, or use share() to give several the same records',
    { code: 'CONSUMER_IN_USE' },
  );
}
