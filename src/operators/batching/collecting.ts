import type { Subscriber } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import type { Cancel, Clock } from '../../core/util/clock.js';
import { Batch, type BatchScope } from './batch.js';
import type { CollectOptions } from './batch-options.js';
import { Groups, type Cell } from '../processing/groups.js';
import { passOn } from '../passing/pass-on.js';
import { Pipelines } from '../passing/pipelines.js';

/** How records become the value of their batch. */
export interface Accumulation<K, V, A> {
  readonly seed: () => A;
  readonly accumulate: (value: A, record: ConsumerRecord<K, V>) => A;
}

/** A batch that is being filled. */
interface Open<K, V, A> {
  readonly records: ConsumerRecord<K, V>[];
  readonly clock: Clock;
  readonly startedAt: number;
  /** Where it is found. */
  readonly cell: Cell<Open<K, V, A>>;
  sizeBytes: number;
  value: A;
}

/**
 * Collects records into batches during one subscription. Hand-written, because a batch must also be
 * let go when nothing more can come before that, and when its partition is being given up.
 */
export class Collecting<K, V, A> {
  private readonly groups: Groups<K, V, Open<K, V, A>>;
  /** In the order in which they were begun. */
  private readonly open = new Set<Open<K, V, A>>();
  private readonly scope: BatchScope;
  private readonly pipelines: Pipelines;
  private cancelTimer: Cancel | undefined;
  private cancelLook: Cancel | undefined;

  constructor(
    private readonly options: CollectOptions<K, V>,
    private readonly accumulation: Accumulation<K, V, A>,
    private readonly subscriber: Subscriber<Batch<K, V, A>>,
  ) {
    const { by } = options;
    this.groups = new Groups(by);
    this.scope = typeof by === 'function' ? 'all' : by;
    this.pipelines = new Pipelines({
      onStarved: (reason) => {
        if (this.letsGo(reason)) this.flush(() => true);
      },
      onDraining: () => this.flush(isDraining),
      onLost: () => this.dropFenced(),
    });
  }

  next(record: ConsumerRecord<K, V>): void {
    record.takeOver();
    this.pipelines.note(record.pipeline);
    const { maxBytes, maxRecords } = this.options;
    try {
      let batch = this.find(record);
      if (batch.records.length > 0 && batch.sizeBytes + record.sizeBytes > maxBytes) {
        this.emit(batch);
        if (this.subscriber.closed) {
          record.giveBack();
          return;
        }
        batch = this.find(record);
      }
      this.add(batch, record);
      if (batch.records.length >= maxRecords || batch.sizeBytes >= maxBytes) this.emit(batch);
    } catch (error) {
      record.giveBack();
      this.subscriber.error(error);
    }
  }

  complete(): void {
    this.flush(() => true);
    this.subscriber.complete();
  }

  /** What was not emitted goes back. */
  stop(): void {
    this.pipelines.stop();
    this.cancelTimer?.();
    this.cancelLook?.();
    for (const { records } of this.open) for (const record of records) record.giveBack();
    this.open.clear();
  }

  private find(record: ConsumerRecord<K, V>): Open<K, V, A> {
    const cell = this.groups.find(record);
    return (cell.content ??= this.begin(cell, record.pipeline.host.clock));
  }

  private begin(cell: Cell<Open<K, V, A>>, clock: Clock): Open<K, V, A> {
    return {
      records: [],
      clock,
      startedAt: clock.monotonic(),
      cell,
      sizeBytes: 0,
      value: this.accumulation.seed(),
    };
  }

  private add(batch: Open<K, V, A>, record: ConsumerRecord<K, V>): void {
    batch.value = this.accumulation.accumulate(batch.value, record);
    batch.records.push(record);
    batch.sizeBytes += record.sizeBytes;
    if (record.isDraining) this.lookSoon(batch.clock);
    if (batch.records.length > 1) return;
    this.open.add(batch);
    this.schedule();
    this.lookSoon(batch.clock);
  }

  /**
   * Records that come later than they were delivered, as behind other operators that take their time,
   * may come when it was told already that nothing more can.
   */
  private lookSoon(clock: Clock): void {
    this.cancelLook ??= clock.yield(() => {
      this.cancelLook = undefined;
      const isStarved = (record: ConsumerRecord<K, V>) =>
        this.letsGo(record.pipeline.host.starvation());
      this.flush((batch) => isDraining(batch) || batch.records.some(isStarved));
    });
  }

  /** At the end of a topic more may come at any time: only who can't wait for it gives up. */
  private letsGo(reason: 'exhausted' | 'idle' | undefined): boolean {
    return reason === 'exhausted' || (reason === 'idle' && this.options.maxWaitMs === undefined);
  }

  private emit(batch: Open<K, V, A>): void {
    this.open.delete(batch);
    batch.cell.clear();
    const { records, sizeBytes, value } = batch;
    passOn(new Batch(records, sizeBytes, value, this.scope), this.subscriber);
  }

  private flush(isWanted: (batch: Open<K, V, A>) => boolean): void {
    for (const batch of [...this.open]) {
      // Whoever gets one may have had enough, and the others have gone back.
      if (this.open.has(batch) && isWanted(batch)) this.emit(batch);
    }
  }

  /** Work on them would count for nothing. */
  private dropFenced(): void {
    for (const batch of this.open) {
      if (!batch.records.every(({ isFenced }) => isFenced)) continue;
      this.open.delete(batch);
      batch.cell.clear();
    }
  }

  /** One timer, for the batch that was begun first. */
  private schedule(): void {
    const { maxWaitMs } = this.options;
    const [oldest] = this.open;
    if (maxWaitMs === undefined || oldest === undefined || this.cancelTimer !== undefined) return;
    const waited = oldest.clock.monotonic() - oldest.startedAt;
    this.cancelTimer = oldest.clock.schedule(Math.max(0, maxWaitMs - waited), () => {
      this.cancelTimer = undefined;
      this.flush(({ clock, startedAt }) => clock.monotonic() - startedAt >= maxWaitMs);
      this.schedule();
    });
  }
}

function isDraining({
  records,
}: {
  readonly records: readonly ConsumerRecord<unknown, unknown>[];
}): boolean {
  return records.some((record) => record.isDraining);
}
