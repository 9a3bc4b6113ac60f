import type { Origin } from '../records/index.js';
import type { Cancel } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import { Queue } from '../util/queue.js';
import { bufferExhausted, producerClosed, tooManyBlocked, unreadableRecord } from './errors.js';
import type { ProducerRecord, Receipt, Submitter } from './record.js';
import type { SinkEngine } from './sink-engine.js';

interface Outcome {
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: KafkaError) => void;
  /** What the record was derived from, to be acked with it. */
  readonly origins: readonly Origin[];
}

interface BlockedSend extends Outcome {
  readonly topic: string;
  readonly record: ProducerRecord;
  cancelTimeout: Cancel;
  isOver: boolean;
}

/** A promise with what settles it, measured: 290 B, and 100 to 160 more once it is awaited. */
const PROMISE_BYTES = 400;

/** `send()` with its promise: submits records, and keeps those that find no room in order. */
export class SendQueue {
  /** Sends that wait for room. */
  blocked = 0;
  private readonly queue = new Queue<BlockedSend>();
  private readonly submitter: Submitter<Outcome>;
  private isWaitingForRoom = false;
  /**
   * What those are told that come while too many wait: one error for all of them, for its stack trace
   * takes longer than all the rest of a call, and what a million calls that nobody awaits keep of it
   * takes more memory than the records.
   */
  private refusal: KafkaError | undefined;
  /** Calls that ever had to wait, and those of them that don't any more. */
  private blockedEver = 0;
  private flushes: { readonly after: number; readonly resolve: () => void }[] = [];

  constructor(
    private readonly engine: SinkEngine,
    serializers: Pick<Submitter, 'serializeKey' | 'serializeValue'>,
    private readonly limits: { readonly maxBlockMs: number; readonly maxBlockedSends: number },
    /** Which origins of a record are settled with it. */
    private readonly origins: (record: unknown) => readonly Origin[],
  ) {
    this.submitter = {
      ...serializers,
      heldBytes: () => PROMISE_BYTES,
      acknowledged({ resolve, origins }, topic, partition, offset, timestamp) {
        for (const origin of origins) origin.ack();
        resolve({ topic, partition, offset, timestamp, origin: undefined });
      },
      failed: fail,
    };
  }

  send(record: ProducerRecord): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      let topic = '';
      let origins: readonly Origin[];
      try {
        topic = topicOf(record);
        origins = this.origins(record);
      } catch (cause) {
        reject(unreadableRecord(topic, cause));
        return;
      }
      const outcome = { resolve, reject, origins };
      const isTaken = this.blocked === 0 && this.submit(topic, record, outcome);
      if (!isTaken) this.block(topic, record, outcome);
    });
  }

  /** Resolves when everything that was sent before is settled. */
  async flush(): Promise<void> {
    const after = this.blockedEver;
    if (this.blocked > 0) {
      await new Promise<void>((resolve) => this.flushes.push({ after, resolve }));
    }
    await this.engine.flush();
  }

  private submit(topic: string, record: ProducerRecord, outcome: Outcome): boolean {
    return this.engine.submit(topic, record, this.submitter, outcome);
  }

  private block(topic: string, record: ProducerRecord, outcome: Outcome): void {
    const { maxBlockMs, maxBlockedSends } = this.limits;
    if (this.engine.isClosed) {
      fail(outcome, producerClosed());
      return;
    }
    if (this.blocked >= maxBlockedSends) {
      fail(outcome, (this.refusal ??= tooManyBlocked(maxBlockedSends)));
      return;
    }
    const blocked: BlockedSend = {
      ...outcome,
      topic,
      record,
      isOver: false,
      cancelTimeout: this.engine.clock.schedule(maxBlockMs, () => {
        this.over(blocked);
        fail(outcome, bufferExhausted(topic, maxBlockMs));
        this.dropOver();
      }),
    };
    this.queue.push(blocked);
    this.blocked++;
    this.blockedEver++;
    this.awaitRoom();
  }

  private awaitRoom(): void {
    if (this.isWaitingForRoom || this.blocked === 0) return;
    this.isWaitingForRoom = true;
    this.engine.whenRoom(() => {
      this.isWaitingForRoom = false;
      this.submitBlocked();
      this.awaitRoom();
    });
  }

  private submitBlocked(): void {
    for (let next = this.queue.peek(); next !== undefined; next = this.queue.peek()) {
      if (!next.isOver) {
        if (!this.submit(next.topic, next.record, next)) break;
        this.over(next);
      }
      this.queue.shift();
    }
    this.tellFlushes();
  }

  /** Time has run out in the order of the calls, so those whose time is over are in front. */
  private dropOver(): void {
    while (this.queue.peek()?.isOver === true) this.queue.shift();
    this.tellFlushes();
  }

  private over(blocked: BlockedSend): void {
    blocked.isOver = true;
    blocked.cancelTimeout();
    this.blocked--;
    this.refusal = undefined;
  }

  private tellFlushes(): void {
    if (this.flushes.length === 0) return;
    const done = this.blockedEver - this.queue.length;
    for (const { after, resolve } of this.flushes) if (after <= done) resolve();
    this.flushes = this.flushes.filter(({ after }) => after > done);
  }
}

function fail({ reject, origins }: Outcome, error: KafkaError): void {
  for (const origin of origins) origin.nack(error);
  reject(error);
}

/** Of anything: what is no record is refused further on, like other mistakes. */
function topicOf(record: unknown): string {
  return (record as ProducerRecord | null | undefined)?.topic ?? '';
}
