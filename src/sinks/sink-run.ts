import type { Observable, Subscriber } from 'rxjs';
import type { Receipt, SinkEngine, Submitter } from '../core/producer/index.js';
import { originsOf, type Origin } from '../core/records/provenance.js';
import { KafkaError, SerializationError } from '../core/util/errors.js';
import { Queue } from '../core/util/queue.js';
import type { SinkRecord } from './to-topic.js';
import { messageOf } from '../core/util/message-of.js';

/** A record that could not be sent. */
export interface SendFailure<T> {
  /** Why: its `code` is Kafka's name of the error where a broker refused the record. */
  readonly error: KafkaError;
  /** What was to be sent. */
  readonly origin: T;
}

/**
 * What a value that is kept until its receipt takes of the process, besides its own bytes. Its objects
 * are 200 to 270 B, for a key, a Buffer and the object around them; more than three times that, for what
 * waits gets old, and V8 lets its old generation double, and Buffers gather, before it collects them.
 */
const ORIGIN_BYTES = 896;

/**
 * What becomes of a record that finds no room: the stream errors, it is dropped, or the oldest batch that
 * was not sent is, each with a `dropped` event. A {@link SharedProducer} drops record by record, and only what
 * has not crossed to the other thread yet: half of its `bufferMemory`.
 */
export type Overflow = 'error' | 'drop-newest' | 'drop-oldest';

/** Values that have no origin wait, too: what gives them is bounded by other means. */
type OverflowOrWait = Overflow | 'wait';

export type OnFailure<T, R> = 'fail' | 'emit' | ((failure: SendFailure<T>) => Observable<R>);

interface SinkSetup<T, R> {
  readonly engine: SinkEngine;
  /** Closes the producer that is this run's own; nothing where it is somebody else's. */
  readonly close: (timeoutMs?: number) => Promise<void>;
  readonly serializers: Pick<Submitter, 'serializeKey' | 'serializeValue'>;
  readonly topicOf: (value: T) => string;
  readonly toRecord: (value: T) => SinkRecord;
  readonly onFailure: OnFailure<T, R>;
  readonly overflow: OverflowOrWait;
  readonly subscriber: Subscriber<Receipt<T> | SendFailure<T> | R>;
}

/** The token of a record that was derived on the way into the sink, from a value that was not. */
class Derived<T> {
  constructor(
    readonly value: T,
    readonly origins: readonly Origin[],
  ) {}
}

/**
 * One subscription of a sink: from values to receipts. Hand-written, because the outcome of a record
 * comes at a time of its own and must cost no promise.
 */
export class SinkRun<T, R> implements Submitter<T | Derived<T>> {
  readonly serializeKey: Submitter['serializeKey'];
  readonly serializeValue: Submitter['serializeValue'];
  readonly dropsOldest: boolean;
  /** Derived records that found no room. Bounded by the window of the consumer they came from. */
  private readonly waiting = new Queue<T>();
  private isAwaitingRoom = false;
  private outcomesLeft = 0;
  private ending: { error: unknown } | 'complete' | undefined;
  private isAbandoned = false;
  private stopUpstream: (() => void) | undefined;
  private resolveEnd: (() => void) | undefined;
  private readonly forgetDrain: () => void;

  constructor(private readonly setup: SinkSetup<T, R>) {
    this.serializeKey = setup.serializers.serializeKey;
    this.serializeValue = setup.serializers.serializeValue;
    this.dropsOldest = setup.overflow === 'drop-oldest';
    this.forgetDrain = setup.engine.onDrain(() => this.finish(undefined));
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

  /** Finishes what was accepted, then ends the stream: with the first error there was. */
  finish(error: { error: unknown } | undefined): void {
    if (this.ending === 'complete' && error !== undefined) this.ending = error;
    if (this.ending !== undefined) return;
    this.ending = error ?? 'complete';
    this.forgetDrain();
    this.stopUpstream?.();
    void this.end();
  }

  /** The subscriber has gone. */
  leave(isAbandoned: boolean): void {
    if (isAbandoned && !this.isAbandoned) {
      this.isAbandoned = true;
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
        nack(next, abandoned());
      }
      void this.setup.close(0);
    }
    this.finish(undefined);
  }

  heldBytes(encodedBytes: number): number {
    return ORIGIN_BYTES + encodedBytes;
  }

  acknowledged(
    token: T | Derived<T>,
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
  ): void {
    this.outcomesLeft--;
    // Also when it was given up: it is written.
    for (const origin of originsBehind(token)) origin.ack();
    const origin = valueOf(token);
    this.setup.subscriber.next({ topic, partition, offset, timestamp, origin });
    if (this.ending !== undefined) this.checkEnd();
  }

  failed(token: T | Derived<T>, error: KafkaError): void {
    const { onFailure, subscriber } = this.setup;
    if (this.isAbandoned) {
      this.outcomesLeft--;
      nack(token, error);
    } else if (onFailure === 'emit') {
      this.outcomesLeft--;
      subscriber.next({ error, origin: valueOf(token) });
    } else if (onFailure === 'fail') {
      this.outcomesLeft--;
      nack(token, error);
      this.finish({ error });
    } else {
      this.handOver(token, error, onFailure);
      return;
    }
    this.checkEnd();
  }

  private handOver(
    token: T | Derived<T>,
    error: KafkaError,
    handle: (failure: SendFailure<T>) => Observable<R>,
  ): void {
    const done = () => {
      this.outcomesLeft--;
      nack(token, error);
      this.checkEnd();
    };
    const failed = (cause: unknown) => {
      this.finish({ error: cause });
      done();
    };
    try {
      handle({ error, origin: valueOf(token) }).subscribe({
        next: (result) => this.setup.subscriber.next(result),
        error: failed,
        complete: done,
      });
    } catch (cause) {
      failed(cause);
    }
  }

  /** False when there is no room. */
  private submit(value: T): boolean {
    const { engine, toRecord, topicOf } = this.setup;
    if (!engine.hasRoom && !engine.isClosed) return false;
    let token: T | Derived<T> = value;
    let record: SinkRecord;
    let topic: string;
    this.outcomesLeft++;
    try {
      record = toRecord(value);
      const origins = (record as unknown) === value ? undefined : originsOf(record);
      if (origins !== undefined && origins.length > 0) token = new Derived(value, origins);
      topic = topicOf(value);
    } catch (cause) {
      // Its own record's fault, like that of a serializer.
      this.failed(token, noRecord(cause));
      return true;
    }
    if (engine.submit(topic, record, this, token)) return true;
    this.outcomesLeft--;
    return false;
  }

  private hold(value: T): void {
    this.waiting.push(value);
    this.awaitRoom();
  }

  private awaitRoom(): void {
    if (this.isAwaitingRoom) return;
    this.isAwaitingRoom = true;
    this.setup.engine.whenRoom(() => {
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
    const { overflow, engine } = this.setup;
    switch (overflow) {
      case 'wait':
        this.hold(value);
        return;
      case 'error':
        this.finish({ error: outrun(this.topicNameOf(value), engine.options.bufferMemory) });
        return;
      case 'drop-newest':
        engine.reportDropped(this.topicNameOf(value), -1, 1);
        return;
      case 'drop-oldest': {
        const dropped = engine.dropOldest(this, isDroppable);
        this.outcomesLeft -= dropped;
        // What is freed goes to those who wait for room, and may not be enough for this one, too.
        if (this.waiting.length === 0 && this.submit(value)) return;
        engine.reportDropped(this.topicNameOf(value), -1, 1);
      }
    }
  }

  private topicNameOf(value: T): string {
    try {
      return this.setup.topicOf(value);
    } catch {
      return ''; // The function is the user's; the record is lost anyway.
    }
  }

  private checkEnd(): void {
    if (this.outcomesLeft === 0 && this.waiting.length === 0) this.resolveEnd?.();
  }

  private async end(): Promise<void> {
    const { engine, close, subscriber } = this.setup;
    while (this.waiting.length > 0 || this.outcomesLeft > 0) {
      await engine.flush();
      await new Promise<void>((resolve) => {
        this.resolveEnd = resolve;
        this.checkEnd();
      });
    }
    // An error is emitted after the producer has closed, so that retry() never races with it.
    await close();
    if (typeof this.ending === 'object') subscriber.error(this.ending.error);
    else subscriber.complete();
  }
}

function valueOf<T>(token: T | Derived<T>): T {
  return token instanceof Derived ? token.value : token;
}

function originsBehind(token: unknown): readonly Origin[] {
  return token instanceof Derived ? token.origins : originsOf(token);
}

function nack(token: unknown, error: KafkaError): void {
  for (const origin of originsBehind(token)) origin.nack(error);
}

/** What was derived from a consumed record is never dropped. */
function isDroppable(token: unknown): boolean {
  return originsBehind(token).length === 0;
}

function noRecord(cause: unknown): KafkaError {
  if (cause instanceof KafkaError) return cause;
  const reason = messageOf(cause);
  return new SerializationError(`Cannot make a record of a value: ${reason}`, { cause });
}

function abandoned(): KafkaError {
  return new KafkaError('The record was given up: its sink was unsubscribed', {
    code: 'ABANDONED',
  });
}

function outrun(topic: string, bufferMemory: number): KafkaError {
  return new KafkaError(
    `toTopic(${topic}) was given records faster than the broker takes them, and bufferMemory ` +
      `(${bufferMemory} bytes) is used up. Use sendAll(), which pulls only while there is room, or ` +
      `set overflow to 'drop-newest' or 'drop-oldest', or raise bufferMemory`,
    { code: 'OVERFLOW', context: { topic } },
  );
}
