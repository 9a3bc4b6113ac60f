import type { Cluster, ClusterMetadata, TopicMetadata } from '../cluster/index.js';
import type { Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import { metadataTimedOut } from './errors.js';

interface Bounds {
  /** On the monotonic clock. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** Asks brokers where topics are, each for so long at most. */
export class TopicLookup {
  private readonly abort = new AbortController();

  constructor(
    private readonly cluster: Cluster,
    private readonly clock: Clock,
    private readonly maxBlockMs: number,
  ) {}

  /** @throws KafkaError; TimeoutError that names the topic when nobody knew it in time. */
  async find(topic: string): Promise<TopicMetadata> {
    return this.look(topic, (bounds) => this.cluster.ensureTopics([topic], bounds));
  }

  /** As before, of a topic that is known: it may have more partitions by now. */
  async findAgain(topic: string): Promise<TopicMetadata> {
    return this.look(topic, async (bounds) => {
      await this.cluster.refresh(bounds);
      return this.cluster.ensureTopics([topic], bounds);
    });
  }

  /** Calls off whatever is asked. */
  stop(): void {
    this.abort.abort();
  }

  private async look(
    topic: string,
    ask: (bounds: Bounds) => Promise<ClusterMetadata>,
  ): Promise<TopicMetadata> {
    const { maxBlockMs } = this;
    const deadline = this.clock.monotonic() + maxBlockMs;
    const { signal } = this.abort;
    try {
      const { topics } = await ask({ deadline, signal });
      const found = topics.get(topic);
      if (found !== undefined) return found;
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== 'TIMED_OUT') throw error;
      throw metadataTimedOut(topic, maxBlockMs, error);
    }
    throw metadataTimedOut(topic, maxBlockMs, undefined);
  }
}
