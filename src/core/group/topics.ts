import type { Cluster, TopicMetadata } from '../cluster/index.js';
import { apis, brokerError, type BrokerError } from '../protocol/index.js';
import type { Clock } from '../util/clock.js';
import { AuthorizationError, KafkaError } from '../util/errors.js';
import type { TopicLayout } from './assignors/assignor.js';
import type { Layouts } from './machine.js';
import { matchingTopics } from './pattern.js';

export interface TopicsOptions {
  readonly requestTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** What a member needs to know of topics. */
export class Topics {
  constructor(
    private readonly cluster: Cluster,
    private readonly clock: Clock,
    private readonly options: TopicsOptions,
  ) {}

  /** How topics are laid out now; those that don't exist are missing. Counts as using them. */
  layouts(names: Iterable<string>): Layouts {
    const layouts = new Map<string, TopicLayout>();
    for (const name of names) {
      const topic = this.cluster.topic(name);
      if (topic !== undefined && topic.partitions.length > 0) layouts.set(name, this.layout(topic));
    }
    return layouts;
  }

  /** As {@link Topics.layouts}, once a broker has told of every topic whether there is one. */
  async findLayouts(names: readonly string[]): Promise<Layouts> {
    await this.untilToldOf(names);
    return this.layouts(names);
  }

  /** The topics that a pattern matches, of all that the cluster has. */
  async match(pattern: RegExp, excludesInternal: boolean): Promise<string[]> {
    const topics = await this.list((version) => ({
      // Version 0 has no other way to ask for all.
      topics: version === 0 ? [] : null,
      ...(version >= 4 && { allowAutoTopicCreation: false }),
    }));
    const usable = topics.flatMap(({ name, isInternal, errorCode }) =>
      name === null || brokerError(errorCode).isAuthorization ? [] : [{ name, isInternal }],
    );
    return matchingTopics(usable, pattern, excludesInternal);
  }

  /** The names of topics, as far as they can be found out now. */
  async resolve(ids: readonly string[]): Promise<Map<string, string>> {
    const names = new Map<string, string>();
    for (const id of ids) {
      const name = this.cluster.metadata.topicNames.get(id);
      if (name !== undefined) names.set(id, name);
    }
    const unknown = ids.filter((id) => !names.has(id));
    if (unknown.length === 0) return names;
    const topics = await this.list(() => ({
      topics: unknown.map((topicId) => ({ topicId, name: null })),
      allowAutoTopicCreation: false,
    }));
    for (const { topicId, name, errorCode } of topics) {
      const error = brokerError(errorCode);
      if (error.isAuthorization) throw unlistable(`find the name of topic ${topicId}`, error);
      if (name !== null) names.set(topicId, name);
    }
    return names;
  }

  private async list(
    body: (version: number) => { topics: { topicId: string; name: null }[] | null },
  ) {
    const { requestTimeoutMs: timeoutMs, signal } = this.options;
    const answer = await this.cluster.request('any', apis.Metadata, body, { timeoutMs, signal });
    const error = brokerError(answer.errorCode);
    if (error.code !== 0) throw unlistable('list topics', error);
    return answer.topics;
  }

  private layout({ partitions }: TopicMetadata): TopicLayout {
    const { brokers } = this.cluster.metadata;
    const racks = partitions.map(({ replicas }) =>
      replicas.flatMap((id) => brokers.get(id)?.rack ?? []),
    );
    return { partitionCount: partitions.length, racks };
  }

  private untilToldOf(names: readonly string[]): Promise<void> {
    const isTold = () => names.every((name) => this.cluster.topic(name) !== undefined);
    if (isTold()) return Promise.resolve();
    const { requestTimeoutMs, signal } = this.options;
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        stop();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.clock.schedule(requestTimeoutMs, done);
      const stop = this.cluster.onMetadata(() => {
        if (isTold()) done();
        else this.cluster.requestMetadataUpdate();
      });
      signal.addEventListener('abort', done, { once: true });
      this.cluster.requestMetadataUpdate();
    });
  }
}

function unlistable(
  what: string,
  { name: code, message, isAuthorization }: BrokerError,
): KafkaError {
  const text = `Cannot ${what}: the broker said ${code}: ${message}`;
  return isAuthorization ? new AuthorizationError(text, { code }) : new KafkaError(text, { code });
}
