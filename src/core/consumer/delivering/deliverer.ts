import type { Clock } from '../../util/clock.js';
import { Queue } from '../../util/queue.js';
import type { AssignedPartition, OpenBatch, Outlet } from '../assigned-partition.js';
import { BatchOpener } from './batch-opener.js';
import type { ByteBudget } from '../fetching/byte-budget.js';
import { ConsumerRecord } from '../record/consumer-record.js';
import type { Decoder } from './decoder.js';
import { isDeliverable, type DeliveryHooks, type DeliverySettings } from './delivery-hooks.js';
import { RecordDecoding } from './record-decoding.js';
import { Slices } from './slices.js';

export type { DeliveryHooks, Remedy } from './delivery-hooks.js';

/** Records between looks at the clock. */
const RECORDS_PER_LOOK = 32;

/**
 * Takes records from what was fetched and hands them to whoever subscribed: as many as the window of
 * each partition allows, those that have something in turn, so that what is done costs nothing for
 * partitions that have not.
 */
export class Deliverer {
  private readonly slices: Slices;
  private readonly opener: BatchOpener;
  private readonly decoding: RecordDecoding;
  /** Partitions that may have something to deliver, in the order of their turns. */
  private readonly queue = new Queue<AssignedPartition>();
  private isStopped = false;
  private deadline = 0;

  constructor(
    private readonly clock: Clock,
    budget: ByteBudget,
    private readonly partitions: () => readonly AssignedPartition[],
    decoder: Decoder,
    private readonly settings: DeliverySettings,
    private readonly hooks: DeliveryHooks,
  ) {
    this.slices = new Slices(
      clock,
      settings.soon,
      (deadline) => this.deliverAll(deadline),
      () => hooks.onIdle(),
    );
    this.opener = new BatchOpener(budget, settings.open, hooks);
    this.decoding = new RecordDecoding(clock, decoder, hooks, (decided) => this.wake(decided));
  }

  /** Partitions wait for bytes to be given back before they open another batch. */
  get awaitsBytes(): boolean {
    return this.opener.awaitsBytes;
  }

  /** Goes on delivering, once the code at work now is done: of one partition, or of all. */
  wake(partition?: AssignedPartition): void {
    if (partition !== undefined) this.enqueue(partition);
    else for (const each of this.partitions()) this.enqueue(each);
    this.slices.wake();
  }

  /** Bytes were given back. */
  bytesFreed(): void {
    if (!this.opener.awaitsBytes) return;
    for (const partition of this.opener.takeWaiting()) this.wake(partition);
  }

  stop(): void {
    this.isStopped = true;
    this.slices.stop();
  }

  private enqueue(partition: AssignedPartition): void {
    if (partition.hasTurn) return;
    partition.hasTurn = true;
    this.queue.push(partition);
  }

  /** True when there is more to do but the time is up. */
  private deliverAll(deadline: number): boolean {
    this.deadline = deadline;
    let isTimeUp = false;
    while (!isTimeUp && !this.isStopped) {
      const partition = this.queue.shift();
      if (partition === undefined) break;
      partition.hasTurn = false;
      const delivered = this.turn(partition);
      if (delivered > 0) {
        partition.moves++;
        this.hooks.onDelivered(partition, delivered);
      }
      if (isHeldUp(partition)) this.hooks.onHeldUp(partition);
      isTimeUp = this.clock.monotonic() >= deadline;
      if ((delivered > 0 || isTimeUp) && hasMore(partition)) this.enqueue(partition);
    }
    return isTimeUp && this.queue.length > 0;
  }

  /** A partition's turn; returns how many records it has delivered. */
  private turn(partition: AssignedPartition): number {
    let count = this.redeliver(partition);
    let left = this.settings.maxPollRecords;
    while (left > 0 && isDeliverable(partition)) {
      const room = Math.min(left, partition.ledger.free);
      if (room <= 0) break;
      const held = partition.decoded;
      if (held !== undefined) {
        partition.decoded = undefined;
        this.hand(partition, held);
        count++;
        left--;
        continue;
      }
      const open = partition.open ?? this.opener.next(partition);
      if (open === undefined) break;
      const delivered = this.deliverBatch(partition, open, partition.outlet!, room);
      count += delivered;
      left -= delivered;
      if (this.clock.monotonic() >= this.deadline) break;
    }
    return count;
  }

  /** Delivers from an open batch until it ends, the room is used up, or something interferes. */
  private deliverBatch(
    partition: AssignedPartition,
    open: OpenBatch,
    outlet: Outlet,
    room: number,
  ): number {
    const { clock, decoding, deadline } = this;
    const { isAutoAck } = this.settings;
    const { cursor, delivery } = open;
    const { ledger, leaderEpoch } = delivery;
    const isPlain = decoding.isIdle && partition.hold === undefined;
    const { endOffset } = partition;
    const now = clock.monotonic();
    let untilLook = RECORDS_PER_LOOK;
    let count = 0;
    while (count < room) {
      let hasNext: boolean;
      try {
        hasNext = cursor.next();
      } catch (error) {
        this.opener.failed(partition, error, open.batch);
        return count;
      }
      const { offset } = cursor;
      if (!hasNext || offset >= endOffset) {
        partition.closeBatch();
        ledger.pass(Math.min(open.batch.nextOffset, endOffset), leaderEpoch);
        this.hooks.onDelivered(partition, 0);
        return count;
      }
      if (offset < ledger.position) continue;
      const record = ConsumerRecord.at(cursor, delivery);
      if (!isPlain && !decoding.decode(partition, record)) return count;
      record.delivered(ledger.deliver(offset, leaderEpoch, now));
      delivery.delivered();
      count++;
      outlet.next(record);
      if (isAutoAck && !record.isTaken) record.ack();
      // Whoever got the record may have sought, paused, unsubscribed or closed.
      if (partition.open !== open || partition.isPaused || partition.isDraining || outlet.closed) {
        return count;
      }
      if (--untilLook === 0) {
        untilLook = RECORDS_PER_LOOK;
        if (clock.monotonic() >= deadline) return count;
      }
    }
    return count;
  }

  /** Delivers a record of the open batch that was decoded ahead. */
  private hand(partition: AssignedPartition, record: ConsumerRecord<unknown, unknown>): void {
    const { delivery } = partition.open!;
    const { ledger, leaderEpoch } = delivery;
    record.delivered(ledger.deliver(record.offset, leaderEpoch, this.clock.monotonic()));
    delivery.delivered();
    partition.outlet!.next(record);
    if (this.settings.isAutoAck && !record.isTaken) record.ack();
  }

  private redeliver(partition: AssignedPartition): number {
    let count = 0;
    const now = this.clock.monotonic();
    // What comes back meanwhile has its turn later, even when that is at once.
    let left = partition.redeliveries.length;
    while (left-- > 0 && isDeliverable(partition)) {
      const [first] = partition.redeliveries;
      if (first === undefined || first.dueAt > now) break;
      partition.redeliveries.shift();
      if (!partition.ledger.redeliver(first.sequence, now)) continue;
      const record = first.record.again(first.sequence);
      partition.comesAgain(record.offset);
      count++;
      partition.outlet!.next(record);
      if (this.settings.isAutoAck && !record.isTaken) record.ack();
    }
    return count;
  }
}

function isHeldUp({ ledger, outlet, hasRecords, awaitsBytes }: AssignedPartition): boolean {
  return outlet !== undefined && hasRecords && (ledger.free <= 0 || awaitsBytes);
}

/** Whether it could have another turn at once. */
function hasMore(partition: AssignedPartition): boolean {
  const { ledger, hasRecords, awaitsBytes } = partition;
  return hasRecords && ledger.free > 0 && !awaitsBytes && isDeliverable(partition);
}
