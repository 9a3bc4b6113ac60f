import type { Cancel } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Ledger } from '../ledger.js';

/** What a {@link Watchdog} needs to know of the consumer, and tells it. */
export interface WatchdogHooks {
  readonly partitions: () => readonly AssignedPartition[];
  /** Whether nothing can be fetched before bytes are given back. */
  readonly areBytesUsedUp: () => boolean;
  /** Whether this subscription has ever acked anything. */
  readonly hasAcked: () => boolean;
  /** Nothing was done with records in hand for `maxPollIntervalMs`. */
  readonly onHung: (partition: AssignedPartition) => void;
}

interface Watch {
  readonly ledger: Ledger;
  watermark: number;
  /** When the oldest unacked record became that, by its ack's or its first delivery's time. */
  since: number;
  isReported: boolean;
}

const LONGEST_TICK_MS = 1000;
/** A pipeline that never acks is found out sooner. */
const NEVER_ACKED_TIMEOUT_MS = 1000;

/**
 * Looks at the watermarks every second: a full window whose watermark stands still is reported, and
 * one that stands still for `maxPollIntervalMs` ends the membership. Also notices when the event
 * loop was blocked for longer than heartbeats allow.
 */
export class Watchdog {
  private readonly watches = new WeakMap<AssignedPartition, Watch>();
  private cancel: Cancel | undefined;
  private dueAt = 0;
  private hasWarned = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly hooks: WatchdogHooks,
  ) {}

  start(): void {
    const { clock } = this.context;
    const tickMs = this.tickMs();
    this.dueAt = clock.monotonic() + tickMs;
    this.cancel = clock.schedule(tickMs, () => this.tick());
  }

  stop(): void {
    this.cancel?.();
  }

  private tick(): void {
    const now = this.context.clock.monotonic();
    this.checkEventLoop(now - this.dueAt);
    // A callback may stop the watchdog: begin the next wait first.
    this.start();
    for (const partition of this.hooks.partitions()) this.look(partition, now);
  }

  private look(partition: AssignedPartition, now: number): void {
    const { ledger } = partition;
    const oldest = ledger.oldestUnacked;
    if (oldest === undefined) {
      this.watches.delete(partition);
      return;
    }
    let watch = this.watches.get(partition);
    if (watch?.ledger !== ledger || watch.watermark !== ledger.watermark) {
      // The first one that is seen has waited since its delivery, the next since its predecessor.
      const since = watch?.ledger === ledger ? now : oldest.deliveredAt;
      watch = { ledger, watermark: ledger.watermark, since, isReported: false };
      this.watches.set(partition, watch);
    }
    const stillMs = now - watch.since;
    const { stallTimeoutMs, maxPollIntervalMs } = this.context.options;
    const timeoutMs = this.hooks.hasAcked()
      ? stallTimeoutMs
      : Math.min(stallTimeoutMs, NEVER_ACKED_TIMEOUT_MS);
    const isStuck = ledger.free <= 0 || partition.awaitsBytes || this.hooks.areBytesUsedUp();
    if (isStuck && stillMs >= timeoutMs && !watch.isReported) {
      watch.isReported = true;
      this.report(partition, oldest.offset, stillMs);
    }
    // A record that is delivered again and again keeps the watermark, but its pipeline lives.
    const hasBeenHeldMs = oldest.isInHand ? now - oldest.deliveredAt : 0;
    if (Math.min(stillMs, hasBeenHeldMs) >= maxPollIntervalMs) this.hooks.onHung(partition);
  }

  private report(
    { topic, partition, key }: AssignedPartition,
    offset: number,
    ageMs: number,
  ): void {
    const hint = this.hooks.hasAcked()
      ? 'the work on this record takes too long, or nobody acks it; an operator may have dropped it'
      : 'nothing was acked so far: use processEach(), toTopic() or ackEach(), call record.ack(), or ' +
        "set ack: 'auto'";
    this.context.emit({ type: 'stalled', topic, partition, offset, ageMs, hint });
    if (this.hasWarned) return;
    this.hasWarned = true;
    process.emitWarning(
      `${key} has stalled: the record at offset ${offset} was delivered ${Math.round(ageMs)} ms ago ` +
        `and is not acked; ${hint}`,
      { type: 'RxKafkaWarning', code: 'RX_KAFKA_STALLED' },
    );
  }

  private checkEventLoop(lateMs: number): void {
    const { groupId, heartbeatIntervalMs } = this.context.options;
    if (groupId === undefined || lateMs <= heartbeatIntervalMs) return;
    this.context.emit({
      type: 'warning',
      code: 'EVENT_LOOP_BLOCKED',
      message:
        `The event loop was blocked for ${Math.round(lateMs)} ms, longer than heartbeatIntervalMs ` +
        `(${heartbeatIntervalMs}): heartbeats were late. Do long computations in a worker thread`,
    });
  }

  private tickMs(): number {
    const { stallTimeoutMs, maxPollIntervalMs } = this.context.options;
    return Math.max(1, Math.min(LONGEST_TICK_MS, stallTimeoutMs / 4, maxPollIntervalMs / 4));
  }
}
