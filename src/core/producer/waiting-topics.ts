import type { TopicMetadata } from '../cluster/index.js';
import { brokerError } from '../protocol/index.js';
import type { KafkaError } from '../util/errors.js';
import type { Accumulator, EncodedRecord } from './accumulator.js';
import { producerError } from './errors.js';
import type { TopicLookup } from './topic-lookup.js';
import { WaitingTopic } from './waiting-topic.js';

/** What becomes of records that have waited. */
export interface WaitingHooks {
  /** Its partitions are known: records of it are about to go on. */
  readonly onKnown: (topic: TopicMetadata) => void;
  readonly goOn: (topic: string, record: EncodedRecord) => void;
  readonly refuse: (record: EncodedRecord, error: KafkaError) => void;
  /** None of a topic wait any more. */
  readonly onReleased: () => void;
}

/** Holds records back, in order, of topics of which it isn't known where their partitions are. */
export class WaitingTopics {
  private readonly topics = new Map<string, WaitingTopic>();

  constructor(
    private readonly accumulator: Accumulator,
    private readonly lookup: TopicLookup,
    private readonly hooks: WaitingHooks,
  ) {}

  /** Has a record wait behind others of its topic; false where none do. */
  join(topic: string, record: EncodedRecord): boolean {
    const waiting = this.topics.get(topic);
    if (waiting === undefined) return false;
    waiting.add(record);
    return true;
  }

  /** Has the first record of a topic wait for its whereabouts. */
  hold(topic: string, first: EncodedRecord): void {
    this.await(topic, first, () => this.lookup.find(topic));
  }

  /** Has a record wait for a partition that the topic may have by now. */
  holdForGrowth(topic: string, first: EncodedRecord): void {
    this.await(topic, first, () => this.lookup.findAgain(topic));
  }

  /** Resolves when all that wait now have been released. */
  async released(): Promise<void> {
    await Promise.all([...this.topics.values()].map(({ done }) => done));
  }

  /** Gives up the oldest record of a topic, if it may be dropped; tells of which. */
  dropOldest(mayDrop: (record: EncodedRecord) => boolean): string | undefined {
    for (const [topic, waiting] of this.topics) if (waiting.dropOldest(mayDrop)) return topic;
    return undefined;
  }

  /** Refuses all that wait. */
  giveUp(error: KafkaError): void {
    for (const [topic, waiting] of [...this.topics]) this.release(topic, waiting, error);
  }

  private await(topic: string, first: EncodedRecord, find: () => Promise<TopicMetadata>): void {
    const waiting = new WaitingTopic(this.accumulator);
    this.topics.set(topic, waiting);
    waiting.add(first);
    find().then(
      (metadata) => {
        const error = brokerError(metadata.errorCode);
        const isUsable = error.code === 0 || metadata.partitions.length > 0;
        if (isUsable) this.hooks.onKnown(metadata);
        this.release(topic, waiting, isUsable ? undefined : producerError(topic, error, { topic }));
      },
      (error: unknown) => this.release(topic, waiting, error as KafkaError),
    );
  }

  private release(topic: string, waiting: WaitingTopic, error: KafkaError | undefined): void {
    this.topics.delete(topic);
    waiting.release((record) => {
      // A record that has to wait once more takes those that follow it along.
      if (error !== undefined) this.hooks.refuse(record, error);
      else if (!this.join(topic, record)) this.hooks.goOn(topic, record);
    });
    this.hooks.onReleased();
  }
}
