import { setProducerState, type BatchBuilder } from '../records/index.js';
import type { KafkaError } from '../util/errors.js';
import type { Submitter } from './record.js';
import { Runs } from './runs.js';
import type { ProducerIdentity } from './sequences.js';

/**
 * Records of one partition that travel together, with where their outcomes go. The records are
 * encoded as they come; what belongs to each besides is kept side by side in arrays.
 */
export class Batch {
  readonly tokens: unknown[] = [];
  readonly submitters = new Runs<Submitter>();
  readonly timestamps = new Runs<number>();
  recordCount = 0;
  attempts = 0;
  largestRecordBytes = 0;
  /** On the heap, besides the encoded records. */
  heldBytes = 0;
  identity: ProducerIdentity | undefined;
  /** -1 until the batch is numbered. */
  firstSequence = -1;
  /** Why the last attempt, or the way to the broker, came to nothing. */
  lastError: KafkaError | undefined;
  /** An attempt was left without a clear answer: the broker may have the batch. */
  mayBeWritten = false;
  /** The encoded batch, once it was sent. */
  bytes: Buffer | undefined;
  /** The broker it was sent to last. */
  sentTo = -1;
  /** On the wire, with an answer to come. */
  isAwaited = false;
  isSettled = false;

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly builder: BatchBuilder,
    /** On the producer's monotonic clock. */
    readonly createdAt: number,
    /** Ascends with creation; parts of a batch share the place of the whole. */
    readonly order: number,
  ) {}

  get hasSequence(): boolean {
    return this.firstSequence >= 0;
  }

  /** Keeps what an outcome needs; the builder has the record itself. */
  add(submitter: Submitter, token: unknown, timestamp: number): void {
    this.submitters.push(submitter);
    this.tokens.push(token);
    this.timestamps.push(timestamp);
    this.recordCount++;
  }

  /** Brings the encoded batch into step with its number, encoding it when it is first sent. */
  stamp(): void {
    const { producerId, epoch } = this.identity!;
    const producer = { producerId, producerEpoch: epoch, baseSequence: this.firstSequence };
    if (this.bytes === undefined) this.bytes = this.builder.close(producer);
    else setProducerState(this.bytes, producer);
  }

  /** Ends the batch without an outcome: others carry its records now. */
  supersede(): void {
    this.isSettled = true;
  }

  /** Tells every record's submitter where the record is. Once. */
  acknowledge(baseOffset: number, logAppendTimeMs: number): void {
    if (this.isSettled) return;
    this.isSettled = true;
    const { tokens, submitters, timestamps, topic, partition } = this;
    const hasOwnTime = logAppendTimeMs < 0 && this.builder.magic > 0;
    for (let i = 0; i < tokens.length; i++) {
      const offset = baseOffset < 0 ? -1 : baseOffset + i;
      const timestamp = hasOwnTime ? timestamps.at(i) : logAppendTimeMs;
      submitters.at(i).acknowledged(tokens[i], topic, partition, offset, timestamp);
    }
    this.letGo();
  }

  /** Tells every record's submitter why it will not be written. Once. */
  fail(error: KafkaError): void {
    if (this.isSettled) return;
    this.isSettled = true;
    for (let i = 0; i < this.tokens.length; i++)
      this.submitters.at(i).failed(this.tokens[i], error);
    this.letGo();
  }

  /**
   * Lets go of the tokens. A batch has lived long enough to be in V8's old generation: whatever it
   * refers to would be kept, and moved there too, until the next full collection. That goes for what
   * is in a list that nobody refers to any more, too, so it is overwritten.
   */
  private letGo(): void {
    this.tokens.fill(undefined);
    this.tokens.length = 0;
    this.submitters.clear();
    this.timestamps.clear();
  }
}
