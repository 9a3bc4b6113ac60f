import type { RecordBatch } from '../../core/records/index.js';
import type { SequenceRules } from '../versions.js';
import { Log, type Appended } from './log.js';
import type { TopicConfig } from './topic-config.js';

/** No broker leads. */
export const NO_LEADER = -1;

/**
 * A partition with its one log. Replicas are names only: followers are always caught up, so that
 * what is appended is committed at once and the high watermark is the log's end.
 */
export class Partition {
  readonly log: Log;
  leaderId = NO_LEADER;
  leaderEpoch = -1;
  isr: number[];
  private readonly watchers = new Set<() => void>();

  constructor(
    readonly topic: string,
    readonly index: number,
    readonly replicas: readonly number[],
    readonly config: TopicConfig,
    rules: SequenceRules,
  ) {
    this.log = new Log(config, rules);
    this.isr = [...replicas];
  }

  get highWatermark(): number {
    return this.log.endOffset;
  }

  /** Everything below is decided; the high watermark where no transaction is open. */
  get lastStableOffset(): number {
    return this.log.lastStableOffset;
  }

  /** Makes another broker the leader, or none, which begins a new epoch. */
  elect(leaderId: number): void {
    this.leaderId = leaderId;
    this.leaderEpoch++;
    if (leaderId !== NO_LEADER) this.log.epochs.assign(this.leaderEpoch, this.log.endOffset);
    this.changed();
  }

  append(batches: readonly RecordBatch[], nowMs: number): Appended {
    const appended = this.log.append(batches, this.leaderEpoch, nowMs);
    this.changed();
    return appended;
  }

  deleteBefore(offset: number): void {
    this.log.deleteBefore(offset);
    this.changed();
  }

  /** Loses the end of the log to an unclean election: what was there is gone, the epoch is new. */
  truncateTo(offset: number): void {
    this.log.truncateTo(offset);
    this.elect(this.leaderId);
  }

  /** Calls back after each change, until the returned function is called. */
  watch(callback: () => void): () => void {
    this.watchers.add(callback);
    return () => this.watchers.delete(callback);
  }

  /** Tells those who wait for records or for a leader. */
  changed(): void {
    if (this.watchers.size === 0) return;
    for (const watcher of [...this.watchers]) watcher();
  }
}
