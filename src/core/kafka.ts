import { Subject, type Observable } from 'rxjs';
import { Cluster, type ClusterEvent } from './cluster/index.js';
import { resolveKafkaOptions, type KafkaOptions } from './kafka-options.js';
import {
  Producer,
  type ProducerEvent,
  type ProducerOptions,
  type SerializerOptions,
} from './producer/index.js';
import type { Clock } from './util/clock.js';

/** Everything that a client and its handles report. */
export type LifecycleEvent = ClusterEvent | ProducerEvent;

/**
 * A client of one cluster. Made with {@link createKafka}; opens no connection until something needs
 * one.
 */
export class Kafka implements AsyncDisposable {
  /** What happens to the connections and to every handle, in one order. Never errors. */
  readonly lifecycle: Observable<LifecycleEvent>;
  private readonly events = new Subject<LifecycleEvent>();
  private readonly cluster: Cluster;
  private readonly clock: Clock;
  private readonly producers = new Set<Producer>();

  /** @internal */
  constructor(options: KafkaOptions) {
    this.lifecycle = this.events.asObservable();
    const resolved = resolveKafkaOptions(options);
    this.clock = resolved.clock;
    this.cluster = new Cluster({ ...resolved, onEvent: (event) => this.events.next(event) });
  }

  /**
   * A producer, which can be shared by as many callers and sinks as wanted. Close it when done.
   *
   * @throws ConfigError naming an option that can't work.
   * @example
   * const producer = kafka.producer({ compressionType: 'zstd', valueSerializer: json() });
   */
  producer<K = unknown, V = unknown>(
    options: ProducerOptions & SerializerOptions<K, V> = {},
  ): Producer<K, V> {
    const producer = new Producer<K, V>(this.cluster, this.clock, options);
    const anyProducer = producer as unknown as Producer;
    this.producers.add(anyProducer);
    producer.lifecycle.subscribe({
      next: (event) => this.events.next(event),
      complete: () => this.producers.delete(anyProducer),
    });
    return producer;
  }

  /**
   * Closes every handle, then the connections. Producers first finish what they were given, at most
   * for `timeoutMs`.
   *
   * @param options.timeoutMs default 30,000.
   */
  async close({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<void> {
    await Promise.all([...this.producers].map((producer) => producer.close({ timeoutMs })));
    await this.cluster.close();
    this.events.complete();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * A client of the cluster that the bootstrap servers belong to. Opens no connection.
 *
 * @throws ConfigError naming an option that is unknown, contradicts another or can't work.
 * @example
 * const kafka = createKafka({ bootstrapServers: 'localhost:9092', clientId: 'shop' });
 */
export function createKafka(options: KafkaOptions): Kafka {
  return new Kafka(options);
}
