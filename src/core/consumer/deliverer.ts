import type { OpenOptions, RecordBatch } from '../records/index.js';
import type { Cancel, Clock } from '../util/clock.js';
import { CorruptRecordError, type KafkaError } from '../util/errors.js';
import type { AssignedPartition, OpenBatch, Outlet } from './assigned-partition.js';
import type { ByteBudget } from './byte-budget.js';
import { ConsumerRecord } from './consumer-record.js';
import { UndecodableRecord, type Decoder } from './decoder.js';
import { Delivery } from './delivery.js';
import type { DeserializationFailure } from './options.js';

/** What becomes of something that can't be read. */
export type Remedy = 'skip' | 'stop';

/** What a {@link Deliverer} asks of, and tells, the consumer it works for. */
export interface DeliveryHooks {
  /** A batch can't be read; `undefined` when not even its end is known. */
  onCorrupt(
    partition: AssignedPartition,
    error: KafkaError,
    batch: RecordBatch | undefined,
  ): Remedy;
  /** A deserializer failed. */
  onUndecodable(
    partition: AssignedPartition,
    failure: DeserializationFailure,
  ): Remedy | { readonly value: unknown };
  /** What one fetch brought has been delivered whole. */
  onChunkEnd(partition: AssignedPartition): void;
  /** Records came out, or the position moved on. */
  onDelivered(partition: AssignedPartition, records: number): void;
  /** Records are at hand that can't be delivered before others are acked. */
  onHeldUp(partition: AssignedPartition): void;
  /** Nothing more can be delivered now. */
  onIdle(): void;
  /** Reading failed in a way that says nothing about the records: a codec that is not installed. */
  onFailed(partition: AssignedPartition, error: unknown): void;
}

export interface DeliverySettings {
  readonly isAutoAck: boolean;
  /** Records in a row before another partition has its turn. */
  readonly maxPollRecords: number;
  readonly open: OpenOptions;
  /** Runs a task once the code at work now is done: as a microtask, or in virtual time. */
  readonly soon: (task: () => void) => void;
}

/** Time that delivery may take before the event loop has its turn. */
const SLICE_MS = 5;
/** Records between looks at the clock. */
const RECORDS_PER_LOOK = 32;

/**
 * Takes records from what was fetched and hands them to whoever subscribed: as many as the window of
 * each partition allows, the partitions in turn, and never for long without letting the event loop
 * go on. Batches are verified and decompressed only when their turn has come.
 */
export class Deliverer {
  private isScheduled = false;
  private isRunning = false;
  /** Counted while it is running, too: a partition whose turn is over may have its turn again. */
  private wakes = 0;
  private isStopped = false;
  /** Work goes on when the event loop has turned. */
  private isPending = false;
  private isTurnAwaited = false;
  private cancelTurn: Cancel = () => undefined;
  private spentMs = 0;
  private rotation = 0;
  private deadline = 0;
  /** Partitions wait for bytes to be given back before they open another batch. */
  awaitsBytes = false;

  constructor(
    private readonly clock: Clock,
    private readonly budget: ByteBudget,
    private readonly partitions: () => readonly AssignedPartition[],
    private readonly decoder: Decoder,
    private readonly settings: DeliverySettings,
    private readonly hooks: DeliveryHooks,
  ) {}

  /** Goes on delivering, once the code at work now is done. */
  wake(): void {
    this.wakes++;
    if (this.isScheduled || this.isRunning || this.isStopped) return;
    this.isScheduled = true;
    this.settings.soon(() => {
      this.isScheduled = false;
      this.resume();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.cancelTurn();
  }

  private resume(): void {
    if (this.isStopped || this.isRunning) return;
    if (this.spentMs >= SLICE_MS) {
      this.isPending = true;
      return;
    }
    this.awaitTurn();
    this.isRunning = true;
    const start = this.clock.monotonic();
    this.deadline = start + SLICE_MS - this.spentMs;
    let isTimeUp = false;
    try {
      isTimeUp = this.deliverAll();
    } finally {
      this.isRunning = false;
      this.spentMs += this.clock.monotonic() - start;
    }
    if (isTimeUp) this.isPending = true;
    this.hooks.onIdle();
  }

  /** Notices when the event loop has turned, however delivery was woken meanwhile. */
  private awaitTurn(): void {
    if (this.isTurnAwaited) return;
    this.isTurnAwaited = true;
    this.cancelTurn = this.clock.yield(() => {
      this.isTurnAwaited = false;
      this.spentMs = 0;
      if (!this.isPending) return;
      this.isPending = false;
      this.resume();
    });
  }

  /** True when there is more to do but the time is up. */
  private deliverAll(): boolean {
    this.awaitsBytes = false;
    for (;;) {
      const partitions = this.partitions();
      const count = partitions.length;
      let hasMoved = false;
      const { wakes } = this;
      for (let i = 0; i < count; i++) {
        const partition = partitions[(this.rotation + i) % count]!;
        const delivered = this.turn(partition);
        if (delivered > 0) {
          hasMoved = true;
          partition.moves++;
          this.hooks.onDelivered(partition, delivered);
        }
        if (isHeldUp(partition)) this.hooks.onHeldUp(partition);
        if (this.isStopped) return false;
        if (this.clock.monotonic() >= this.deadline) {
          this.rotation += i + 1;
          return true;
        }
      }
      if (!hasMoved && this.wakes === wakes) return false;
    }
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
      const open = partition.open ?? this.openNext(partition);
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
    const { clock, decoder, deadline } = this;
    const { isAutoAck } = this.settings;
    const { cursor, delivery } = open;
    const { ledger, leaderEpoch } = delivery;
    const isPlain = decoder.isIdle;
    const { endOffset } = partition;
    const now = clock.monotonic();
    let untilLook = RECORDS_PER_LOOK;
    let count = 0;
    while (count < room) {
      let hasNext: boolean;
      try {
        hasNext = cursor.next();
      } catch (error) {
        this.corrupt(partition, error, open.batch);
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
      if (!isPlain && !this.decode(partition, record)) return count;
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

  /** Opens the next batch that has something to deliver, passing over what has not. */
  private openNext(partition: AssignedPartition): OpenBatch | undefined {
    const { buffer, ledger } = partition;
    partition.awaitsBytes = false;
    while (isDeliverable(partition) && partition.ledger === ledger) {
      const chunk = buffer.current;
      if (chunk === undefined) return undefined;
      // A batch may become many times as large as it was fetched: one a partition always may.
      if (this.budget.isUsedUp && partition.holdsMemory) {
        this.awaitsBytes = partition.awaitsBytes = true;
        return undefined;
      }
      let batch: RecordBatch | undefined;
      try {
        batch = buffer.next();
        if (batch === undefined) {
          buffer.shift();
          this.hooks.onChunkEnd(partition);
          continue;
        }
        if (batch.nextOffset <= ledger.position) continue;
        if (batch.baseOffset >= partition.endOffset && batch.magic === 2) {
          ledger.pass(partition.endOffset, batch.partitionLeaderEpoch);
          this.hooks.onDelivered(partition, 0);
          return undefined;
        }
        if (chunk.isHidden(batch)) {
          ledger.pass(batch.nextOffset, batch.partitionLeaderEpoch);
          this.hooks.onDelivered(partition, 0);
          continue;
        }
        const cursor = batch.cursor(this.settings.open);
        const memory =
          batch.compressionType === 'none'
            ? chunk.memory.retain()
            : this.budget.hold(cursor.source.bytes.length);
        const epoch = batch.partitionLeaderEpoch;
        const delivery = new Delivery(partition, ledger, cursor.source, epoch, memory);
        return partition.openBatch(batch, cursor, delivery);
      } catch (error) {
        if (this.corrupt(partition, error, batch) === 'stop') return undefined;
      }
    }
    return undefined;
  }

  private corrupt(
    partition: AssignedPartition,
    error: unknown,
    batch: RecordBatch | undefined,
  ): Remedy {
    if (!(error instanceof CorruptRecordError)) {
      this.hooks.onFailed(partition, error);
      return 'stop';
    }
    const remedy = this.hooks.onCorrupt(partition, error, batch);
    if (remedy === 'skip' && batch !== undefined) {
      partition.closeBatch();
      partition.ledger.pass(partition.buffer.endOf(batch), batch.partitionLeaderEpoch);
      this.hooks.onDelivered(partition, 0);
    }
    return remedy;
  }

  /** False when the record is not to be delivered, or not yet. */
  private decode(partition: AssignedPartition, record: ConsumerRecord<unknown, unknown>): boolean {
    for (;;) {
      try {
        const later = this.decoder.decode(record);
        if (later === undefined) return true;
        this.decodeLater(partition, record, later);
        return false;
      } catch (error) {
        // What was replaced is not decoded again, but the rest may not be decoded yet.
        if (!this.remedy(partition, record, error)) return false;
      }
    }
  }

  private decodeLater(
    partition: AssignedPartition,
    record: ConsumerRecord<unknown, unknown>,
    later: Promise<void>,
  ): void {
    const { open } = partition;
    partition.isDecoding = true;
    const done = (error?: unknown) => {
      // Sought, revoked or closed meanwhile: it counts for nothing.
      if (partition.open !== open || !partition.isDecoding) return;
      partition.isDecoding = false;
      const isWhole =
        error === undefined ||
        (this.remedy(partition, record, error) && this.decode(partition, record));
      if (isWhole) partition.decoded = record;
      this.wake();
    };
    later.then(() => done(), done);
  }

  private remedy(
    partition: AssignedPartition,
    record: ConsumerRecord<unknown, unknown>,
    error: unknown,
  ): boolean {
    if (!(error instanceof UndecodableRecord)) throw error;
    const { failure } = error;
    const remedy = this.hooks.onUndecodable(partition, failure);
    if (typeof remedy === 'object') {
      if (failure.part === 'key') record.decodedKeyIs(remedy.value);
      else record.decodedValueIs(remedy.value);
      return true;
    }
    if (remedy === 'skip') {
      const { ledger, leaderEpoch } = record.source;
      ledger.ack(ledger.deliver(record.offset, leaderEpoch, this.clock.monotonic()));
      partition.acked(ledger);
    }
    return false;
  }
}

function isHeldUp({ ledger, outlet, hasRecords, awaitsBytes }: AssignedPartition): boolean {
  return outlet !== undefined && hasRecords && (ledger.free <= 0 || awaitsBytes);
}

function isDeliverable({
  phase,
  isPaused,
  isDraining,
  isDecoding,
  outlet,
}: AssignedPartition): boolean {
  return (
    phase === 'active' &&
    !isPaused &&
    !isDraining &&
    !isDecoding &&
    outlet !== undefined &&
    !outlet.closed
  );
}
