import type { Observable, Subscriber } from 'rxjs';
import type { Producer, Receipt, Submitter } from '../core/producer/index.js';
import { originsOf } from '../core/records/provenance.js';
import { KafkaError } from '../core/util/errors.js';
import { Queue } from '../core/util/queue.js';
import type { SinkRecord } from './to-topic.js';

/** A record that could not be sent. */
export interface SendFailure<T> {
  readonly error: KafkaError;
  /** What was to be sent. */
  readonly origin: T;
}

export type Overflow = 'error' | 'drop-newest' | 'drop-oldest';

export type OnFailure<T, R> = 'fail' | 'emit' | ((failure: SendFailure<T>) => Observable<R>);

interface SinkSetup<T, R> {
  readonly producer: Producer;
  /** Whether the producer is this run's own, to be closed with it. */
  readonly isOwn: boolean;
  readonly serializers: Pick<Submitter, 'serializeKey' | 'serializeValue'>;
  readonly topicOf: (value: T) => string;
  readonly toRecord: (value: T) => SinkRecord;
  readonly onFailure: OnFailure<T, R>;
  readonly overflow: Overflow;
  readonly subscriber: Subscriber<Receipt<T> | SendFailure<T> | R>;
}

/**
 * One subscription of a sink: from values to receipts. Hand-written, because the outcome of a record
 * comes at a time of its own and must cost no promise.
 */
export class SinkRun<T, R> implements Submitter<T> {
  readonly serializeKey: Submitter['serializeKey'];
  readonly serializeValue: Submitter['serializeValue'];
  /** Derived records that found no room. Bounded by the window of the consumer they came from. */
  private readonly waiting = new Queue<T>();
  private isAwaitingRoom = false;
  private outcomesLeft = 0;
  private ending: { error: unknown } | 'complete' | undefined;
  private isAbandoned = false;
  private stopUpstream: (() => void) | undefined;

  constructor(private readonly setup: SinkSetup<T, R>) {
    this.serializeKey = setup.serializers.serializeKey;
    this.serializeValue = setup.serializers.serializeValue;
  }

  /** Called when no further value is wanted, at once if that is so already. */
  onEnough(stop: () => void): void {
    this.stopUpstream = stop;
    if (this.ending !== undefined) stop();
  }

  accept(value: T): void {
    if (this.ending !== undefined) return;
    if (this.waiting.length === 0 && this.submit(value)) return;
    if (originsOf(value).length > 0) this.hold(value);
    else this.overflowed(value);
  }

  /** Finishes what was accepted, then ends the stream. */
  finish(error: { error: unknown } | undefined): void {
    if (this.ending !== undefined) return;
    this.ending = error ?? 'complete';
    this.stopUpstream?.();
    void this.end();
  }

  /** The subscriber has gone. */
  leave(isAbandoned: boolean): void {
    this.isAbandoned = isAbandoned;
    if (isAbandoned && this.setup.isOwn) void this.setup.producer.close({ timeoutMs: 0 });
    else this.finish(undefined);
  }

  acknowledged(
    value: T,
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
  ): void {
    this.outcomesLeft--;
    if (this.isAbandoned) return;
    for (const origin of originsOf(value)) origin.ack();
    this.setup.subscriber.next({ topic, partition, offset, timestamp, origin: value });
    if (this.ending !== undefined) this.checkEnd();
  }

  failed(value: T, error: KafkaError): void {
    if (this.isAbandoned) {
      this.outcomesLeft--;
      return;
    }
    const { onFailure, subscriber } = this.setup;
    if (onFailure === 'emit') {
      this.outcomesLeft--;
      subscriber.next({ error, origin: value });
    } else if (onFailure === 'fail') {
      this.outcomesLeft--;
      this.nack(value, error);
      this.finish({ error });
    } else {
      this.handOver(value, error, onFailure);
    }
  }

  private handOver(
    value: T,
    error: KafkaError,
    handle: (failure: SendFailure<T>) => Observable<R>,
  ): void {
    const done = () => {
      this.outcomesLeft--;
      this.nack(value, error);
      this.checkEnd();
    };
    const failed = (cause: unknown) => {
      done();
      this.finish({ error: cause });
    };
    try {
      handle({ error, origin: value }).subscribe({
        next: (result) => this.setup.subscriber.next(result),
        error: failed,
        complete: done,
      });
    } catch (cause) {
      failed(cause);
    }
  }

  private nack(value: T, error: KafkaError): void {
    for (const origin of originsOf(value)) origin.nack(error);
  }

  /** False when there is no room. */
  private submit(value: T): boolean {
    const { producer, toRecord, topicOf } = this.setup;
    const { engine } = producer;
    if (!engine.hasRoom) return false;
    let topic: string;
    let record: SinkRecord;
    try {
      record = toRecord(value);
      topic = topicOf(value);
    } catch (error) {
      this.finish({ error });
      return true;
    }
    this.outcomesLeft++;
    return engine.submit(topic, record, this, value);
  }

  private hold(value: T): void {
    this.waiting.push(value);
    this.awaitRoom();
  }

  private awaitRoom(): void {
    if (this.isAwaitingRoom) return;
    this.isAwaitingRoom = true;
    this.setup.producer.engine.whenRoom(() => {
      this.isAwaitingRoom = false;
      for (let next = this.waiting.peek(); next !== undefined; next = this.waiting.peek()) {
        if (!this.submit(next)) break;
        this.waiting.shift();
      }
      if (this.waiting.length > 0) this.awaitRoom();
      else this.checkEnd();
    });
  }

  private overflowed(value: T): void {
    const { overflow, producer, topicOf } = this.setup;
    switch (overflow) {
      case 'error':
        this.finish({ error: outrun(topicOf(value), producer.engine.options.bufferMemory) });
        return;
      case 'drop-newest':
        producer.engine.reportDropped(topicOf(value), -1, 1);
        return;
      case 'drop-oldest': {
        const dropped = producer.engine.dropOldest(this, isDroppable);
        this.outcomesLeft -= dropped;
        if (dropped === 0 || !this.submit(value)) {
          producer.engine.reportDropped(topicOf(value), -1, 1);
        }
      }
    }
  }

  private resolveEnd: (() => void) | undefined;

  private checkEnd(): void {
    if (this.outcomesLeft === 0 && this.waiting.length === 0) this.resolveEnd?.();
  }

  private async end(): Promise<void> {
    const { producer, isOwn, subscriber } = this.setup;
    while (this.waiting.length > 0 || this.outcomesLeft > 0) {
      await producer.engine.flush();
      if (this.waiting.length === 0 && this.outcomesLeft === 0) break;
      await new Promise<void>((resolve) => {
        this.resolveEnd = resolve;
        this.checkEnd();
      });
    }
    // An error is emitted after the producer has closed, so that retry() never races with it.
    if (isOwn) await producer.close();
    if (typeof this.ending === 'object') subscriber.error(this.ending.error);
    else subscriber.complete();
  }
}

/** What was derived from a consumed record is never dropped. */
function isDroppable(value: unknown): boolean {
  return originsOf(value).length === 0;
}

function outrun(topic: string, bufferMemory: number): KafkaError {
  return new KafkaError(
    `toTopic(${topic}) was given records faster than the broker takes them, and bufferMemory ` +
      `(${bufferMemory} bytes) is used up. Use sendAll(), which pulls only while there is room, or ` +
      `set overflow to 'drop-newest' or 'drop-oldest', or raise bufferMemory`,
    { code: 'OVERFLOW', context: { topic } },
  );
}
