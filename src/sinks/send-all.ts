import { Observable } from 'rxjs';
import type { Kafka } from '../core/kafka.js';
import {
  Producer,
  serializersOf,
  type ProducerOptions,
  type Receipt,
  type SerializerOptions,
} from '../core/producer/index.js';
import type { Clock } from '../core/util/clock.js';
import { SinkRun } from './sink-run.js';
import { checkTarget, type SinkRecord } from './to-topic.js';

/** Records between looks at whether others should have a turn. */
const SLICE_RECORDS = 256;
const SLICE_MS = 5;

export interface SendAllOptions<T, K, V> extends SerializerOptions<K, V>, ProducerOptions {
  /** Makes a record of a value. Default: the value is one, as in `{ key, value, headers }`. */
  readonly toRecord?: (value: T) => SinkRecord<K, V>;
}

/** What can be pulled from: arrays, generators, Node's streams and web streams. */
export type Pullable<T> = Iterable<T> | AsyncIterable<T>;

/**
 * Writes everything that a source gives to a topic, and pulls only while there is room: real
 * backpressure, any amount of input through a buffer of `bufferMemory`.
 *
 * **Guarantees.** As {@link toTopic}; the source is never read ahead of the buffer. Unsubscribing
 * ends the iterator and lets accepted records finish.
 *
 * **Errors.** What the source throws, after what was accepted is finished; what {@link toTopic} says.
 *
 * @example
 * sendAll(kafka, 'lines', createInterface({ input: createReadStream('big.log') }), {
 *   toRecord: (line) => ({ value: line }),
 * }).pipe(count()).subscribe((sent) => console.log(sent));
 */
export function sendAll<T, K = unknown, V = unknown>(
  target: Kafka | Producer,
  topic: string | ((value: T) => string),
  source: Pullable<T>,
  options: SendAllOptions<T, K, V> = {},
): Observable<Receipt<T>> {
  const { keySerializer, valueSerializer, toRecord, ...producerOptions } = options;
  checkTarget('sendAll', target, producerOptions);
  const serializers = serializersOf('sendAll', keySerializer, valueSerializer);
  return new Observable((subscriber) => {
    const isOwn = !(target instanceof Producer);
    const producer = isOwn ? target.producer(producerOptions) : target;
    const run = new SinkRun<T, never>({
      producer,
      isOwn,
      serializers,
      topicOf: typeof topic === 'function' ? topic : () => topic,
      toRecord: toRecord ?? ((value: T) => value as SinkRecord),
      onFailure: 'fail',
      overflow: 'error',
      subscriber: subscriber,
    });
    let isWanted = true;
    run.onEnough(() => (isWanted = false));
    const pump = new Pump(producer, (value: T) => {
      run.accept(value);
      return isWanted;
    });
    pump.run(source).then(
      () => run.finish(undefined),
      (error: unknown) => run.finish({ error }),
    );
    return () => {
      isWanted = false;
      run.leave(false);
    };
  });
}

/** Moves values while there is room and lets the event loop turn in between. */
class Pump<T> {
  private readonly clock: Clock;

  constructor(
    private readonly producer: Producer,
    /** False when no further value is wanted. */
    private readonly accept: (value: T) => boolean,
  ) {
    this.clock = producer.engine.clock;
  }

  async run(source: Pullable<T>): Promise<void> {
    if (Symbol.iterator in source) await this.pull(source);
    else await this.pullAsync(source);
  }

  private async pull(source: Iterable<T>): Promise<void> {
    let left = SLICE_RECORDS;
    let sliceEnd = this.clock.monotonic() + SLICE_MS;
    for (const value of source) {
      if (!this.hasRoom) await this.room();
      if (!this.accept(value)) return;
      if (--left > 0) continue;
      left = SLICE_RECORDS;
      if (this.clock.monotonic() < sliceEnd) continue;
      await new Promise<void>((resolve) => this.clock.yield(resolve));
      sliceEnd = this.clock.monotonic() + SLICE_MS;
    }
  }

  private async pullAsync(source: AsyncIterable<T>): Promise<void> {
    for await (const value of source) {
      if (!this.hasRoom) await this.room();
      if (!this.accept(value)) return;
    }
  }

  private get hasRoom(): boolean {
    return this.producer.engine.wantsMore;
  }

  private async room(): Promise<void> {
    while (!this.hasRoom && !this.producer.engine.isClosed) {
      await new Promise<void>((resolve) => this.producer.engine.whenRoom(resolve));
    }
  }
}
