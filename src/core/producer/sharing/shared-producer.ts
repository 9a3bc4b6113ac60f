import type { MessagePort } from 'node:worker_threads';
import type { Observable } from 'rxjs';
import { originsOf } from '../../records/index.js';
import { systemClock, type Clock } from '../../util/clock.js';
import { badOption, checkIsObject, custom, integer, resolveOptions } from '../../util/options.js';
import type { Dropped } from '../events.js';
import type { PartitionInfo } from '../producer.js';
import type { ProducerRecord, Receipt } from '../record.js';
import { SendQueue } from '../send-queue.js';
import { SERIALIZERS, serializersOf, type SerializerOptions } from '../serializers.js';
import { isPort, PORT } from './port.js';
import { RemoteEngine } from './remote-engine.js';

/** How a worker uses a producer of another thread. */
export interface SharedProducerOptions {
  /** Bytes that this worker may have unacknowledged. Default 8 MiB. */
  readonly bufferMemory?: number;
  /** How long `send()` waits for room, in ms. Default 60,000. */
  readonly maxBlockMs?: number;
  /** How many `send()` calls may wait for room at once. Default 10,000. */
  readonly maxBlockedSends?: number;
  /** Default the machine's. */
  readonly clock?: Clock;
}

const rules = {
  bufferMemory: integer(8 * 1024 * 1024, { min: 1 }),
  maxBlockMs: integer(60_000, { max: 0x7fff_ffff }),
  maxBlockedSends: integer(10_000),
  clock: custom<Clock>(systemClock, 'a Clock', (value) => typeof value === 'object'),
} as const;

/**
 * A producer of another thread. Serializers run in this one; batching, sending and retrying in the
 * other. Made by {@link connectProducer}.
 *
 * @example
 * const producer = connectProducer(workerData.port);
 * clicks.pipe(map((click) => ({ value: click.user })), toTopic(producer, 'clicks')).subscribe();
 */
export class SharedProducer<K = unknown, V = unknown> implements AsyncDisposable {
  /**
   * What this worker dropped of what its sinks were given: see `overflow` of `toTopic`. What happens on the
   * way to the brokers is told by the `lifecycle` of the producer in the other thread. Never errors; completes
   * when this producer has closed, or the other thread serves it no more.
   *
   * @example
   * const producer = connectProducer(workerData.port);
   * producer.lifecycle.subscribe(({ topic, records }) => console.warn(`${topic}: ${records} dropped`));
   */
  readonly lifecycle: Observable<Dropped>;
  /** @internal For the sinks of this library. */
  readonly engine: RemoteEngine;
  private readonly sends: SendQueue;

  /** @internal Made by {@link connectProducer}. */
  constructor(port: MessagePort, options: SharedProducerOptions & SerializerOptions<K, V>) {
    checkIsObject('connectProducer', options);
    if (!isPort(port)) throw badOption('connectProducer', 'port', port, PORT);
    const { keySerializer, valueSerializer, ...rest } = options;
    const resolved = resolveOptions('connectProducer', rules, rest, SERIALIZERS);
    this.engine = new RemoteEngine(port, resolved.clock, resolved);
    this.lifecycle = this.engine.events.asObservable();
    const serializers = serializersOf('connectProducer', keySerializer, valueSerializer);
    this.sends = new SendQueue(this.engine, serializers, resolved, originsOf);
  }

  /** As the producer's own `send`: same receipts, same errors, same order. */
  send(record: ProducerRecord<K, V>): Promise<Receipt> {
    return this.sends.send(record);
  }

  /** Resolves when everything that this worker has sent is settled. */
  flush(): Promise<void> {
    return this.sends.flush();
  }

  /** The partitions of a topic. */
  partitionsFor(topic: string): Promise<readonly PartitionInfo[]> {
    return this.engine.partitionsFor(topic);
  }

  /** Finishes what this worker has sent and lets go of the port; the producer stays open. */
  close(): Promise<void> {
    return this.engine.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * The producer that another thread serves at the other end of a port: see {@link serveProducer}.
 *
 * @example
 * const producer = connectProducer(workerData.port, { valueSerializer: json() });
 * await producer.send({ topic: 'results', value: { answer: 42 } });
 * await producer.close();
 */
export function connectProducer<K = unknown, V = unknown>(
  port: MessagePort,
  options: SharedProducerOptions & SerializerOptions<K, V> = {},
): SharedProducer<K, V> {
  return new SharedProducer(port, options);
}
