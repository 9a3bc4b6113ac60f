import { pause, type TopicMetadata } from '../../cluster/index.js';
import type { GroupHandler, Member, Subscription, TopicPartition } from '../../group/index.js';
import { apis, brokerError } from '../../protocol/index.js';
import { KafkaError } from '../../util/errors.js';
import type { ConsumerContext } from '../context.js';
import { asKafkaError, consumerError } from '../errors.js';

/** Everything of fixed partitions, at once and for good. */
export function fixedAssignment(
  partitions: readonly TopicPartition[],
  handler: GroupHandler,
): Member {
  return {
    metadata: undefined,
    protocol: undefined,
    isJoined: true,
    requestRejoin: () => undefined,
    join: () => void handler.onAssigned(partitions, partitions),
    leave: () => Promise.resolve(),
  };
}

/**
 * All partitions of topics, without a group: those that there are, and those that are added. A
 * pattern is matched against all topics of the cluster, every so often.
 */
export class SelfAssigned implements Member {
  readonly metadata = undefined;
  readonly protocol = undefined;
  readonly isJoined = true;
  private readonly counts = new Map<string, number>();
  private readonly partitions: TopicPartition[] = [];
  private readonly abort = new AbortController();
  private stopListening: () => void = () => undefined;

  constructor(
    private readonly context: ConsumerContext,
    private readonly subscription: Subscription,
    private readonly handler: GroupHandler,
    /** Called with how many partitions each topic has that a pattern matches, before they are taken. */
    private readonly onMatched: (sizes: ReadonlyMap<string, number>) => void,
  ) {}

  join(): void {
    const { cluster } = this.context;
    this.stopListening = cluster.onMetadata(({ topics }) => {
      for (const name of this.counts.keys()) {
        const topic = topics.get(name);
        if (topic !== undefined) this.take(topic);
      }
    });
    if (this.subscription.type === 'topics') this.use(this.subscription.topics);
    else void this.follow(this.subscription.pattern);
  }

  requestRejoin(): void {
    // There is no membership that could be out of date.
  }

  leave(): Promise<void> {
    this.abort.abort();
    this.stopListening();
    return Promise.resolve();
  }

  private use(topics: readonly string[]): void {
    const { cluster } = this.context;
    for (const name of topics) {
      if (this.counts.has(name)) continue;
      this.counts.set(name, 0);
      const topic = cluster.topic(name);
      // What was refused before may be granted by now.
      if (topic?.errorCode === 0) this.take(topic);
    }
    cluster.requestMetadataUpdate();
  }

  private take({ name, partitions, errorCode }: TopicMetadata): void {
    // Marks the topic as used, so that it is asked for again.
    this.context.cluster.topic(name);
    const error = brokerError(errorCode);
    if (error.code !== 0 && !error.isRetriable) {
      this.handler.onFatal(consumerError(`consume ${name}`, error, { topic: name }));
      return;
    }
    const known = this.counts.get(name) ?? 0;
    if (partitions.length <= known) return;
    this.counts.set(name, partitions.length);
    const added = partitions
      .slice(known)
      .map(({ partition }): TopicPartition => ({ topic: name, partition }));
    this.partitions.push(...added);
    void this.handler.onAssigned(added, this.partitions);
  }

  private async follow(pattern: RegExp): Promise<void> {
    const { clock, options } = this.context;
    const { signal } = this.abort;
    for (;;) {
      try {
        const sizes = await this.matching(pattern);
        signal.throwIfAborted();
        this.onMatched(sizes);
        this.use([...sizes.keys()]);
        await pause(clock, options.metadataMaxAgeMs, [signal]);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof KafkaError) || !error.isRetriable) {
          this.handler.onFatal(asKafkaError(error, 'Cannot list topics', 'LIST_TOPICS_FAILED'));
          return;
        }
      }
    }
  }

  private async matching(pattern: RegExp): Promise<ReadonlyMap<string, number>> {
    const { cluster, options } = this.context;
    const whole = new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gy]/g, ''));
    const answer = await cluster.request(
      'any',
      apis.Metadata,
      (version) => ({
        topics: version === 0 ? [] : null,
        ...(version >= 4 && { allowAutoTopicCreation: false }),
      }),
      { signal: this.abort.signal },
    );
    const matching = answer.topics
      .filter(({ errorCode }) => errorCode === 0)
      .filter(({ isInternal }) => !isInternal || !options.excludeInternalTopics)
      .filter(({ name }) => whole.test(name ?? ''));
    return new Map(matching.map(({ name, partitions }) => [name ?? '', partitions.length]));
  }
}
