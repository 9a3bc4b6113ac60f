import type { TopicMetadata } from '../cluster/index.js';
import { brokerError } from '../protocol/index.js';
import type { KafkaError } from '../util/errors.js';
import type { Accumulator, EncodedRecord } from './accumulator.js';
import { producerError } from './errors.js';
import type { TopicLookup } from './topic-lookup.js';
import { WaitingTopic } from './waiting-topic.js';

/**
 * How it is known what partitions a topic has: for some time, since just now, or still as before, for
 * asking anew led to an error.
 */
export type Whereabouts = 'known' | 'fresh' | KafkaError;

/** What becomes of records that have waited. */
export interface WaitingHooks {
  /** Its partitions are known: records of it are about to go on. */
  readonly onKnown: (topic: TopicMetadata) => void;
  readonly goOn: (topic: string, record: EncodedRecord, whereabouts: Whereabouts) => void;
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
    for (const [topic, waiting] of [...this.topics]) this.refuseAll(topic, waiting, error);
  }

  private await(topic: string, first: EncodedRecord, find: () => Promise<TopicMetadata>): void {
    const waiting = new WaitingTopic(this.accumulator);
    this.topics.set(topic, waiting);
    waiting.add(first);
    find().then(
      (metadata) => {
        const error = brokerError(metadata.errorCode);
        if (error.code === 0 || metadata.partitions.length > 0) {
          this.hooks.onKnown(metadata);
          this.goOn(topic, waiting, 'fresh');
        } else {
          this.refuseAll(topic, waiting, producerError(topic, error, { topic }));
        }
      },
      (error: unknown) => {
        const isKnown = this.accumulator.topicMetadata(topic) !== undefined;
        if (isKnown) this.goOn(topic, waiting, error as KafkaError);
        else this.refuseAll(topic, waiting, error as KafkaError);
      },
    );
  }

  /** Those who send more as they are told come behind what waits, and not in front of it. */
  private goOn(topic: string, waiting: WaitingTopic, whereabouts: Whereabouts): void {
    if (this.topics.get(topic) !== waiting) return;
    waiting.release((record, isLate) => {
      const others = this.topics.get(topic);
      // A record that has to wait once more takes those that follow it along.
      if (others !== undefined && others !== waiting) others.add(record);
      else this.hooks.goOn(topic, record, isLate ? 'known' : whereabouts);
    });
    if (this.topics.get(topic) === waiting) this.topics.delete(topic);
    this.hooks.onReleased();
  }

  private refuseAll(topic: string, waiting: WaitingTopic, error: KafkaError): void {
    // Where they were given up meanwhile, others may wait by now.
    if (this.topics.get(topic) !== waiting) return;
    this.topics.delete(topic);
    waiting.release((record) => this.hooks.refuse(record, error));
    this.hooks.onReleased();
  }
}
