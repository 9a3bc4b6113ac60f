import type { Observable } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/record/consumer-record.js';
import type { DeserializerOptions } from '../../core/consumer/delivering/decoder.js';
import { HeldRecords } from '../../core/consumer/delivering/held-records.js';
import type { ConsumerOptions } from '../../core/consumer/options.js';
import type { SinkEngine } from '../../core/producer/index.js';
import { MarbleConsumer, type MarbleConsumerSetup } from './marble-consumer.js';
import { MarbleLog } from './marble-log.js';
import type { MarbleSink, WrittenRecord } from './marble-sink.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** What the consumer of retry topics shares with others of the same test. */
type Surroundings = Pick<MarbleConsumerSetup, 'scheduler' | 'clock' | 'contents' | 'error'>;

/**
 * Retry topics in virtual time: give it to `retryTopics()` where a client stands. What is written is
 * acknowledged as drawn, and comes back when it is due, as a real record with a real ledger behind it.
 * Each topic has one partition.
 */
export class MarbleRetries {
  /** @internal For the sinks of this library. */
  readonly engine: SinkEngine;
  private consumer: MarbleConsumer | undefined;

  /** @internal Made by `retries()` of `kafkaMarbles`. */
  constructor(
    private readonly sink: MarbleSink,
    private readonly options: ConsumerOptions,
    private readonly surroundings: () => Surroundings,
    /** Told of the consumer, when there is one. */
    private readonly onConsumer: (consumer: MarbleConsumer) => void,
  ) {
    this.engine = sink.engine;
    sink.onWritten = (record, letter) => this.comesBack(record, letter);
  }

  /**
   * What `retryTopics()` reads, for expectations: to be asked for when the pipeline has been built.
   *
   * @throws Error where `retryTopics()` was not given this yet.
   */
  get records(): Observable<AnyRecord> {
    if (this.consumer !== undefined) return this.consumer.records;
    throw new Error(
      'What retries() has made is read by nobody yet: give it to retryTopics() first',
    );
  }

  /** The retry records that were acknowledged so far, in order. */
  get written(): readonly WrittenRecord[] {
    return this.sink.written;
  }

  /** @internal Called by `retryTopics()`. */
  recordsWhenDue<K, V>(
    given: ConsumerOptions & DeserializerOptions<K, V>,
    topics: readonly string[],
    dueAt: (record: AnyRecord) => number,
  ): Observable<ConsumerRecord<K, V>> {
    if (this.consumer !== undefined) {
      throw new Error('What retries() has made is for one retryTopics(): draw another for each');
    }
    const { keyDeserializer, valueDeserializer, ...options } = given;
    const surroundings = this.surroundings();
    this.consumer = new MarbleConsumer({
      ...surroundings,
      logs: topics.map((topic) => new MarbleLog(topic, 0)),
      options: { ...options, ...this.options },
      deserializers: {
        ...(keyDeserializer !== undefined && { keyDeserializer }),
        ...(valueDeserializer !== undefined && { valueDeserializer }),
      },
      held: new HeldRecords(surroundings.clock, dueAt),
    });
    this.onConsumer(this.consumer);
    return this.consumer.records as Observable<ConsumerRecord<K, V>>;
  }

  private comesBack(record: WrittenRecord, letter: string): void {
    const { topic, partition, ...content } = record;
    this.consumer?.write([{ letter, topic, partition, content }]);
  }
}
