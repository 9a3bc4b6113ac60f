import { AssignedPartition, type Redelivery } from '../../src/core/consumer/assigned-partition.js';
import { ByteBudget } from '../../src/core/consumer/fetching/byte-budget.js';
import { ConsumerRecord } from '../../src/core/consumer/record/consumer-record.js';
import { Delivery } from '../../src/core/consumer/delivering/delivery.js';
import type { ConsumerEvent } from '../../src/core/consumer/events.js';
import { Pipeline } from '../../src/core/consumer/pipeline.js';
import { encodeRecords, readBatches, type RecordContent } from '../../src/core/records/index.js';
import type { Clock } from '../../src/core/util/clock.js';
import { FakeClock } from './fake-clock.js';

export type TestRecord = ConsumerRecord;

interface PartitionOptions {
  readonly topic?: string;
  readonly partition?: number;
  /** What operators listen to. Default: one of its own. */
  readonly pipeline?: Pipeline;
}

interface TestPipelineOptions {
  /** What operators measure time with. */
  readonly clock?: Clock;
  readonly isAutoAck?: boolean;
  /** Where the events go that operators emit. */
  readonly events?: ConsumerEvent[];
}

/** What operators listen to, without a consumer. */
export function testPipeline({
  clock = new FakeClock(),
  isAutoAck = false,
  events = [],
}: TestPipelineOptions = {}): Pipeline {
  return new Pipeline({
    clock,
    isAutoAck,
    isCommittedOnly: false,
    group: undefined,
    emit: (event) => events.push(event),
    starvation: () => undefined,
  });
}

/**
 * A partition without a consumer: what it delivers are real records over a real ledger, so that acks,
 * returns and fences mean what they mean in a consumer.
 *
 * @example
 * const partition = new TestPartition();
 * const [a, b] = partition.deliver('a', 'b');
 * a.ack();
 * partition.committable; // 1
 */
export class TestPartition {
  readonly pipeline: Pipeline;
  /** Offsets that came back without having been worked on. */
  readonly returned: number[] = [];
  readonly nacked: { readonly offset: number; readonly reason: unknown }[] = [];
  /** Failures that the stream could not be told of. */
  readonly failed: { readonly offset: number; readonly reason: unknown }[] = [];
  ackedLate = 0;
  private readonly assigned: AssignedPartition;
  private readonly budget = new ByteBudget(2 ** 30, () => undefined);
  private readonly redeliveries: Redelivery[] = [];

  constructor({
    topic = 'orders',
    partition = 0,
    pipeline = testPipeline(),
  }: PartitionOptions = {}) {
    this.pipeline = pipeline;
    this.assigned = new AssignedPartition(topic, partition, 2 ** 20, {
      pipeline,
      onAcked: () => undefined,
      onAckedLate: () => this.ackedLate++,
      onFailedUnheard: ({ offset }, reason) => this.failed.push({ offset, reason }),
      onNacked: (_, redelivery, reason) => {
        this.nacked.push({ offset: redelivery.record.offset, reason });
        this.redeliveries.push(redelivery);
      },
      onReturned: (_, redelivery) => {
        this.returned.push(redelivery.record.offset);
        this.redeliveries.push(redelivery);
      },
    });
    this.assigned.begin(0, -1);
  }

  /** Records with these values, the next of the log; `key=value` gives a key as well. */
  deliver(...values: readonly string[]): TestRecord[] {
    return this.deliverContents(
      values.map((text) => {
        const [value = '', key] = text.split('=').reverse();
        return key === undefined ? { value } : { key, value };
      }),
    );
  }

  deliverContents(contents: readonly RecordContent[]): TestRecord[] {
    const { assigned } = this;
    const bytes = encodeRecords(contents, { baseOffset: assigned.position });
    const records: TestRecord[] = [];
    for (const batch of readBatches(bytes)) {
      const cursor = batch.cursor();
      const memory = this.budget.hold(bytes.length);
      const delivery = new Delivery(assigned, assigned.ledger, cursor.source, -1, memory);
      assigned.openBatch(batch, cursor, delivery);
      while (cursor.next()) {
        const record = ConsumerRecord.at(cursor, delivery) as TestRecord;
        record.delivered(assigned.ledger.deliver(cursor.offset, -1, 0));
        delivery.delivered();
        records.push(record);
      }
      assigned.closeBatch();
    }
    return records;
  }

  /** A record that was acked, as if it were delivered for the first time, at the same offset. */
  deliverAnew(record: TestRecord): void {
    record.delivered(this.assigned.ledger.deliver(record.offset, -1, 0));
  }

  /** What was nacked or came back, once more. */
  redeliver(): TestRecord[] {
    return this.redeliveries.splice(0).flatMap(({ record, sequence }) => {
      if (!this.assigned.ledger.redeliver(sequence, 0)) return [];
      this.assigned.comesAgain(record.offset);
      return [record.again(sequence)];
    }) as TestRecord[];
  }

  /** Where the next owner would begin. */
  get committable(): number {
    return this.assigned.ledger.commitPosition.offset;
  }

  /** Records that somebody is at work on. */
  get inHand(): number {
    return this.assigned.ledger.inHand;
  }

  get unacked(): number {
    return this.assigned.ledger.unacked;
  }

  /** Bytes that unacked records keep. */
  get heldBytes(): number {
    return this.budget.heldBytes;
  }

  /** Begins to be given up. */
  drain(): void {
    this.assigned.leave();
    this.pipeline.draining();
  }

  /** The time for draining is up. */
  abortWork(): void {
    this.assigned.abortWork();
  }

  /** Delivers nothing more, because whoever listens has had enough. */
  stop(): void {
    this.assigned.stopDelivery();
  }

  /** Is taken away: late acks count for nothing. */
  lose(): void {
    this.assigned.drop();
    this.pipeline.lost();
  }

  /** Is assigned once more, at an offset. */
  begin(offset: number): void {
    this.assigned.isDraining = false;
    this.assigned.isLeaving = false;
    this.assigned.begin(offset, -1);
  }
}
