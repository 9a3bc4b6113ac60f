import { pause } from '../cluster/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel, Clock } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import { asKafkaError } from './errors.js';
import type { GroupOptions } from './options.js';
import type { Topics } from './topics.js';

export interface MatchedTopicsParts {
  readonly clock: Clock;
  readonly options: GroupOptions;
  readonly topics: Pick<Topics, 'match'>;
  readonly pattern: RegExp;
  /** An attempt has failed, and is repeated. */
  readonly onRetry: (error: KafkaError) => void;
}

/** The topics that a pattern matches, where the client does that: now, and every so often from then on. */
export class MatchedTopics {
  private failures = 0;
  private cancelNext: Cancel | undefined;
  private readonly abort = new AbortController();

  constructor(private readonly parts: MatchedTopicsParts) {}

  /** Those of now; `undefined` when it was stopped before they were known. */
  async find(): Promise<readonly string[] | undefined> {
    const { topics, pattern, options, onRetry } = this.parts;
    while (!this.isStopped()) {
      try {
        const found = await topics.match(pattern, options.excludeInternalTopics);
        this.failures = 0;
        return this.isStopped() ? undefined : found;
      } catch (error) {
        const failure = asKafkaError(error);
        if (!failure.isRetriable) throw failure;
        this.failures++;
        onRetry(failure);
        await this.backOff();
      }
    }
    return undefined;
  }

  /** Tells them each time that they were looked up, until that fails for good. */
  follow(
    onMatched: (topics: readonly string[]) => void,
    onFailed: (error: KafkaError) => void,
  ): void {
    const { clock, options } = this.parts;
    this.cancelNext = clock.schedule(options.metadataMaxAgeMs, () => {
      this.find().then(
        (topics) => {
          if (topics === undefined) return;
          onMatched(topics);
          this.follow(onMatched, onFailed);
        },
        (error: unknown) => {
          if (!this.isStopped()) onFailed(asKafkaError(error));
        },
      );
    });
  }

  stop(): void {
    this.abort.abort();
    this.cancelNext?.();
  }

  private isStopped(): boolean {
    return this.abort.signal.aborted;
  }

  private backOff(): Promise<void> {
    const { clock, options } = this.parts;
    const { retryBackoffMs, retryBackoffMaxMs } = options;
    const waitMs = backoffMs(this.failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
    // Whoever waits looks whether it was stopped meanwhile.
    return pause(clock, waitMs, [this.abort.signal]).catch(() => undefined);
  }
}
