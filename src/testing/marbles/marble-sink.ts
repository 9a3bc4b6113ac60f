import type { TestScheduler } from 'rxjs/testing';
import { complaintAbout, headerList, serialized } from '../../core/producer/check-record.js';
import { invalidRecord, serializationFailure } from '../../core/producer/errors.js';
import type { ProducerRecord, SinkEngine, Submitter } from '../../core/producer/index.js';
import type { Header } from '../../core/records/index.js';
import type { Clock } from '../../core/util/clock.js';
import { KafkaError } from '../../core/util/errors.js';
import { parseDiagram } from './diagram.js';
import { letterOf } from './letters.js';
import { errorAt, nextAt, type Observed } from './observed.js';

/** A record as a {@link MarbleSink} was given it, after serialization. */
export interface WrittenRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  readonly timestamp: number;
}

/**
 * What becomes of each record: a diagram that begins when the record is sent, with any letter for its
 * receipt or `#` for its failure; a list, of which the last is for all that follow; or a function.
 */
export type SinkAnswers = string | readonly string[] | ((record: WrittenRecord) => string);

/** What a {@link MarbleSink} does besides answering. */
export interface MarbleSinkOptions {
  /** What `#` stands for. Default: a KafkaError with code `NOT_ENOUGH_REPLICAS`. */
  readonly error?: KafkaError;
  /** How many records may be on the way; others find no room. Default: any number. */
  readonly maxInFlight?: number;
}

interface Answer {
  readonly delayMs: number;
  readonly isReceipt: boolean;
}

/**
 * A producer in virtual time: give it to `toTopic()` and other sinks where a producer or a client
 * stands. Records run through the real serializers; then each is answered as drawn, in each partition
 * in the order in which they were sent. Made by the helper `sink`.
 *
 * @example
 * test('orders are acked when they are written', kafkaMarbles(({ records, sink, expectAcks, expectOutput }) => {
 *   const orders = records('-a-b-');
 *   const invoices = sink('--r');
 *   expectOutput(orders.pipe(map((order) => order.derive()), toTopic(invoices, 'invoices'))).toBe('---a-b');
 *   expectAcks(orders).toBe('---a-b');
 * }));
 */
export class MarbleSink {
  /** @internal For the sinks of this library. */
  readonly engine: SinkEngine;
  /** What was acknowledged so far, in order. */
  readonly written: WrittenRecord[] = [];
  /** @internal Receipts and failures, by the letters of what they were made from. */
  readonly observed: Observed[] = [];
  /** @internal Told of each record that is acknowledged, with its letter, before anybody else. */
  onWritten: (record: WrittenRecord, letter: string) => void = () => undefined;
  /** @internal What `#` stands for. */
  readonly error: KafkaError;
  private readonly maxInFlight: number;
  private readonly lastOutcomes = new Map<string, number>();
  private readonly ends = new Map<string, number>();
  private readonly roomListeners: (() => void)[] = [];
  private readonly flushListeners: (() => void)[] = [];
  private submitted = 0;
  private inFlight = 0;

  /** @internal Made by `sink()` of {@link kafkaMarbles}. */
  constructor(
    private readonly scheduler: TestScheduler,
    private readonly clock: Clock,
    private readonly answers: SinkAnswers,
    { error = notEnoughReplicas(), maxInFlight = Infinity }: MarbleSinkOptions,
  ) {
    this.error = error;
    this.maxInFlight = maxInFlight;
    if (typeof answers !== 'function') for (const drawn of [answers].flat()) parseAnswer(drawn);
    this.engine = this.makeEngine();
  }

  private makeEngine(): SinkEngine {
    const hasRoom = () => this.inFlight < this.maxInFlight;
    return {
      clock: this.clock,
      options: { bufferMemory: this.maxInFlight },
      get hasRoom() {
        return hasRoom();
      },
      get wantsMore() {
        return hasRoom();
      },
      isClosed: false,
      submit: (...given) => this.submit(...given),
      whenRoom: (callback) => {
        if (hasRoom()) this.clock.schedule(0, callback);
        else this.roomListeners.push(callback);
      },
      onDrain: () => () => undefined,
      flush: () =>
        new Promise((resolve) => {
          if (this.inFlight === 0) resolve();
          else this.flushListeners.push(resolve);
        }),
      dropOldest: () => 0,
      reportDropped: () => undefined,
    };
  }

  private submit(
    topic: string,
    record: Omit<ProducerRecord, 'topic'>,
    submitter: Submitter,
    token: unknown,
  ): boolean {
    if (this.inFlight >= this.maxInFlight) return false;
    const ready = serialize(topic, record, submitter, this.clock);
    this.inFlight++;
    if (ready instanceof KafkaError) {
      this.clock.schedule(0, () => this.fail(token, submitter, ready));
      return true;
    }
    const { delayMs, isReceipt } = this.answerTo(ready);
    if (delayMs === Infinity) return true;
    // A partition's records are acknowledged in order.
    const name = `${topic}-${ready.partition}`;
    const at = Math.max(this.scheduler.now() + delayMs, this.lastOutcomes.get(name) ?? 0);
    this.lastOutcomes.set(name, at);
    this.clock.schedule(at - this.scheduler.now(), () => {
      if (isReceipt) this.acknowledge(ready, token, submitter);
      else this.fail(token, submitter, this.error);
    });
    return true;
  }

  private answerTo(record: WrittenRecord): Answer {
    const { answers } = this;
    const index = this.submitted++;
    if (typeof answers === 'function') return parseAnswer(answers(record));
    if (typeof answers === 'string') return parseAnswer(answers);
    return parseAnswer(answers[Math.min(index, answers.length - 1)] ?? '');
  }

  private acknowledge(record: WrittenRecord, token: unknown, submitter: Submitter): void {
    const { topic, partition, timestamp } = record;
    const name = `${topic}-${partition}`;
    const offset = this.ends.get(name) ?? 0;
    this.ends.set(name, offset + 1);
    this.written.push(record);
    const letter = letterOf(token);
    const mark = letter ?? record.value?.toString() ?? null;
    this.observed.push(nextAt(this.scheduler.now(), mark));
    this.inFlight--;
    this.onWritten(record, letter ?? '?');
    submitter.acknowledged(token, topic, partition, offset, timestamp);
    this.wake();
  }

  private fail(token: unknown, submitter: Submitter, error: KafkaError): void {
    this.observed.push(errorAt(this.scheduler.now(), error));
    this.inFlight--;
    submitter.failed(token, error);
    this.wake();
  }

  private wake(): void {
    for (const listener of this.roomListeners.splice(0)) listener();
    if (this.inFlight > 0) return;
    for (const listener of this.flushListeners.splice(0)) listener();
  }
}

function parseAnswer(marbles: string): Answer {
  const moments = parseDiagram(marbles, {
    name: `sink('${marbles}')`,
    ends: 'may-fail',
    explain: () => undefined,
  });
  const [first, ...others] = moments;
  if (first === undefined) return { delayMs: Infinity, isReceipt: false };
  if (others.length > 0 || first.marks.length > 1) {
    throw new Error(
      `sink('${marbles}'): the diagram is for one record, which has one receipt or one failure; ` +
        `for several records give a list, as in sink(['--r', '--#'])`,
    );
  }
  return { delayMs: first.frame, isReceipt: first.marks[0] !== '#' };
}

function serialize(
  topic: string,
  record: Omit<ProducerRecord, 'topic'>,
  submitter: Submitter,
  clock: Clock,
): WrittenRecord | KafkaError {
  const complaint = complaintAbout(record);
  if (complaint !== undefined) return invalidRecord(topic, complaint);
  let part: 'key' | 'value' = 'key';
  try {
    const { key, value, headers, partition = 0, timestamp = clock.now() } = record;
    const keyBytes = key == null ? null : submitter.serializeKey(key as never, { topic });
    part = 'value';
    const valueBytes = value == null ? null : submitter.serializeValue(value as never, { topic });
    return {
      topic,
      partition,
      key: bytesOf(serialized(keyBytes)),
      value: bytesOf(serialized(valueBytes)),
      headers: headerList(headers).map(([name, content]) => [name, bytesOf(content)] as const),
      timestamp,
    };
  } catch (error) {
    return serializationFailure(topic, part, error);
  }
}

function bytesOf(content: Uint8Array | string | null): Buffer | null {
  if (content === null) return null;
  return Buffer.from(content as string);
}

function notEnoughReplicas(): KafkaError {
  return new KafkaError('The record was not written: drawn as # in a test', {
    code: 'NOT_ENOUGH_REPLICAS',
    isRetriable: true,
  });
}
