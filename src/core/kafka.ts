import { inspect, type InspectOptions } from 'node:util';
import { Subject, type Observable } from 'rxjs';
import { Cluster, type ClusterEvent, type Route } from './cluster/index.js';
import {
  Consumer,
  type ConsumerEvent,
  type ConsumerOptions,
  type DeserializerOptions,
  type DrainReport,
} from './consumer/index.js';
import { resolveKafkaOptions, type KafkaOptions } from './kafka-options.js';
import type { Metrics } from './metrics/index.js';
import { inferRelease, usableVersions, type BrokerVersion } from './network/index.js';
import {
  Producer,
  type ProducerEvent,
  type ProducerOptions,
  type SerializerOptions,
} from './producer/index.js';
import type { ApiOrName, RequestInput, Resolved, ResponseOf } from './protocol/index.js';
import type { Clock } from './util/clock.js';
import { patienceOf } from './util/options.js';
import { shown } from './util/shown.js';

/** Whom a request goes to, in which version, and for how long. */
export interface KafkaRequestOptions {
  /** Who is to answer: a broker's id, the controller, or any broker. Default `'any'`. */
  readonly node?: number | 'controller' | 'any';
  /** Default the newest that both sides have. */
  readonly version?: number;
  /** Time for all attempts together, in ms. Default `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Gives up when it aborts. */
  readonly signal?: AbortSignal;
}

/** Everything that a client and its handles report. */
export type LifecycleEvent = ClusterEvent | ProducerEvent | ConsumerEvent;

/**
 * A client of one cluster. Made with {@link createKafka}; opens no connection until something needs
 * one.
 *
 * @example
 * await using kafka = createKafka({ bootstrapServers: 'localhost:9092' });
 * const { brokers } = await kafka.request('Metadata', { topics: null });
 */
export class Kafka implements AsyncDisposable {
  /** What happens to the connections and to every handle, in one order. Never errors. */
  readonly lifecycle: Observable<LifecycleEvent>;
  private readonly events = new Subject<LifecycleEvent>();
  private readonly cluster: Cluster;
  /** @internal */
  readonly clock: Clock;
  private readonly producers = new Set<Producer>();
  private readonly consumers = new Set<Consumer<unknown, unknown>>();

  /** @internal */
  constructor(private readonly options: KafkaOptions) {
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
   * A consumer: one member of its group, for one subscription at a time. Close it when done.
   *
   * @throws ConfigError naming an option that can't work.
   * @example
   * const consumer = kafka.consumer({ groupId: 'billing', valueDeserializer: json<Order>() });
   */
  consumer<K = Buffer | null, V = Buffer | null>(
    options: ConsumerOptions & DeserializerOptions<K, V> = {},
  ): Consumer<K, V> {
    const consumer = this.detachedConsumer(options);
    const anyConsumer = consumer as unknown as Consumer<unknown, unknown>;
    this.consumers.add(anyConsumer);
    consumer.lifecycle.subscribe({
      next: (event) => this.events.next(event),
      complete: () => this.consumers.delete(anyConsumer),
    });
    return consumer;
  }

  /** @internal One that nobody keeps track of: for checking options, until it is subscribed to. */
  detachedConsumer<K, V>(options: ConsumerOptions & DeserializerOptions<K, V>): Consumer<K, V> {
    return new Consumer<K, V>(this.cluster.forConsumer(), this.clock, options);
  }

  /**
   * The orderly way to end: consumers deliver nothing more, finish what is in hand, commit and leave;
   * then sinks take nothing more, and producers finish what they were given; then everything is closed.
   * Streams complete, those of sinks too.
   *
   * @param options.timeoutMs how long work in hand is awaited. Default each consumer's `drainTimeoutMs`.
   * @returns what the consumers did.
   * @example
   * process.once('SIGTERM', () => void kafka.drain({ timeoutMs: 10_000 }));
   */
  async drain(options: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    patienceOf('kafka.drain', options);
    const consumers = [...this.consumers];
    const reports = await Promise.all(consumers.map((consumer) => consumer.close(options)));
    for (const { engine } of this.producers) engine.endSinks();
    await this.close(options);
    return {
      recordsFinished: reports.reduce((sum, report) => sum + report.recordsFinished, 0),
      recordsAbandoned: reports.reduce((sum, report) => sum + report.recordsAbandoned, 0),
      offsetsCommitted: reports.flatMap((report) => report.offsetsCommitted),
    };
  }

  /**
   * Sends any request of the protocol and gives its answer, errors in it included. Brokers that can't
   * be reached, and retriable errors at the top of the answer, are tried again until the time is up.
   *
   * @throws TimeoutError, UnsupportedVersionError when the broker lacks the API or the version,
   * ProtocolError when the body doesn't fit.
   * @example
   * const { brokers } = await kafka.request('DescribeCluster', { includeClusterAuthorizedOperations: false });
   * const { results } = await kafka.request('DescribeLogDirs', { topics: null }, { node: 2 });
   */
  request<A extends ApiOrName>(
    api: A,
    body: RequestInput<Resolved<A>>,
    { node = 'any', ...options }: KafkaRequestOptions = {},
  ): Promise<ResponseOf<Resolved<A>>> {
    return this.cluster.request(routeTo(node), api, body, options);
  }

  /**
   * The release of Kafka that a broker runs, and the versions of each API that can be used with it.
   *
   * @throws TimeoutError when no broker can be reached in time.
   * @example
   * const { version } = await kafka.brokerVersion(); // '4.3'
   */
  async brokerVersion({
    node = 'any',
    ...options
  }: Omit<KafkaRequestOptions, 'version'> = {}): Promise<BrokerVersion> {
    const capabilities = await this.cluster.capabilities(routeTo(node), options);
    return { version: inferRelease(capabilities), apis: usableVersions(capabilities) };
  }

  /**
   * Figures about all connections of this client, by Kafka's names: together in `client-metrics`, by
   * broker in `client-node-metrics.node-<id>` (`node-bootstrap-<n>` while a bootstrap server's id is
   * not known). Those of a handle are its own: `producer.metrics()`, `consumer.metrics()`.
   *
   * @example
   * kafka.metrics()['client-metrics']?.['request-rate'];
   * kafka.metrics()['client-node-metrics.node-1']?.['request-latency-avg'];
   */
  metrics(): Metrics {
    return this.cluster.metrics();
  }

  /**
   * Closes every handle, then the connections. Producers first finish what they were given, at most
   * for `timeoutMs`.
   *
   * @param options.timeoutMs default 30,000.
   */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = patienceOf('kafka.close', options) ?? 30_000;
    try {
      await Promise.all([...this.consumers].map((consumer) => consumer.close({ timeoutMs })));
      await Promise.all([...this.producers].map((producer) => producer.close({ timeoutMs })));
    } finally {
      await this.cluster.close();
      this.events.complete();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return shown('Kafka', this.options, options);
  }
}

function routeTo(node: number | 'controller' | 'any'): Route {
  return typeof node === 'number' ? { node } : node;
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
