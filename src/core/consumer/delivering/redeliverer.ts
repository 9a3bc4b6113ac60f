import { Alarm } from '../../util/alarm.js';
import { backoffMs } from '../../util/backoff.js';
import { KafkaError } from '../../util/errors.js';
import type { AssignedPartition, Redelivery } from '../assigned-partition.js';
import type { UserCallbacks } from '../callbacks.js';
import type { ConsumerContext } from '../context.js';
import type { PartitionOffset } from '../events.js';
import { messageOf } from '../../util/message-of.js';

/** What a {@link Redeliverer} tells the consumer it works for. */
export interface RedelivererHooks {
  readonly partitions: () => readonly AssignedPartition[];
  /** Something is due. */
  readonly onDue: () => void;
  readonly onFatal: (error: KafkaError) => void;
}

/** Has records delivered again that were nacked or given back, when their time has come. */
export class Redeliverer {
  private isStopped = false;
  private readonly alarm: Alarm;

  constructor(
    private readonly context: Pick<ConsumerContext, 'clock' | 'options' | 'emit'>,
    private readonly callbacks: UserCallbacks,
    private readonly hooks: RedelivererHooks,
  ) {
    this.alarm = new Alarm(context.clock, () => this.rang());
  }

  /** Does what `onNack` says with a record that failed. */
  nacked(partition: AssignedPartition, redelivery: Redelivery, reason: unknown): void {
    const { onNack, nackBackoffMs, nackBackoffMaxMs } = this.context.options;
    const { record, sequence } = redelivery;
    const { topic, partition: index, offset, attempt } = record;
    const where = { topic, partition: index, offset };
    if (onNack === 'fail') {
      this.hooks.onFatal(nackedForGood(where, reason));
    } else if (onNack === 'redeliver') {
      const lot = this.context.clock.random();
      const delayMs = backoffMs(attempt - 1, nackBackoffMs, nackBackoffMaxMs, lot);
      this.context.emit({ type: 'redelivered', ...where, attempt: attempt + 1, delayMs, reason });
      // Never at once: a record that is nacked within its delivery would come for ever.
      this.queue(partition, redelivery, Math.max(1, delayMs));
    } else {
      const handled = this.callbacks.call('onNack', () => onNack({ ...where, attempt, reason }));
      void handled.then((isDone) => {
        if (!isDone) return;
        record.source.ack(sequence);
        partition.giveUpRedelivery(offset);
      });
    }
  }

  /** Has a record delivered again after a time, unless it is acked meanwhile. */
  queue(partition: AssignedPartition, redelivery: Redelivery, delayMs: number): void {
    const dueAt = this.context.clock.monotonic() + delayMs;
    redelivery.dueAt = dueAt;
    const { redeliveries } = partition;
    let at = redeliveries.length;
    while (at > 0 && redeliveries[at - 1]!.dueAt > dueAt) at--;
    redeliveries.splice(at, 0, redelivery);
    this.schedule(dueAt);
  }

  stop(): void {
    this.isStopped = true;
    this.alarm.cancel();
  }

  private rang(): void {
    const { clock } = this.context;
    this.hooks.onDue();
    const now = clock.monotonic();
    const next = Math.min(...this.hooks.partitions().map((each) => nextDue(each, now)));
    if (next < Infinity) this.schedule(next);
  }

  private schedule(at: number): void {
    if (!this.isStopped) this.alarm.set(at);
  }
}

function nextDue({ redeliveries }: AssignedPartition, after: number): number {
  return redeliveries.find(({ dueAt }) => dueAt > after)?.dueAt ?? Infinity;
}

function nackedForGood({ topic, partition, offset }: PartitionOffset, reason: unknown): KafkaError {
  const why = messageOf(reason);
  return new KafkaError(`The record at ${topic}-${partition} offset ${offset} failed: ${why}`, {
    code: 'RECORD_FAILED',
    context: { topic, partition, offset },
    cause: reason,
  });
}
