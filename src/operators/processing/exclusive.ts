import { Subscription, takeWhile, type Subscriber } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import { custom, resolveOptions, type OptionRule } from '../../core/util/options.js';
import { Groups, type Grouping } from './groups.js';
import { Leader } from './leader.js';
import type { ProcessContext } from './processing.js';
import { toObservable, type WorkResult } from './work.js';

/** Work on a record. */
export type ExclusiveProject<K, V, R> = (
  record: ConsumerRecord<K, V>,
  context: ProcessContext,
) => WorkResult<R>;

/** What becomes of a record that comes while its group is busy. */
export type OnBusy<K, V> = (
  record: ConsumerRecord<K, V>,
  current: Leader<K, V>,
) => 'start' | 'skip';

const groupings = new Set<unknown>(['all', 'partition', 'key']);

/** An option that says what is a group. */
export const byRule: OptionRule<unknown> = custom<unknown>(
  'all',
  "one of 'all', 'partition', 'key', a function",
  (value) => groupings.has(value) || typeof value === 'function',
);

/** @throws ConfigError naming the option that does not fit. */
export function checkGrouping<K, V>(operator: string, given: object): Grouping<K, V> {
  const { by } = resolveOptions(operator, { by: byRule }, { ...given });
  return by as Grouping<K, V>;
}

/** Where work of a group is under way. */
interface Slot<K, V> {
  current: Task<K, V> | undefined;
  readonly remove: () => void;
}

/** Work on one record at a time of each group, during one subscription. */
export class Exclusive<K, V, R> {
  private readonly groups: Groups<K, V, Slot<K, V>>;
  private readonly active = new Set<Task<K, V>>();
  private isUpstreamDone = false;

  constructor(
    private readonly project: ExclusiveProject<K, V, R>,
    private readonly onBusy: OnBusy<K, V>,
    by: Grouping<K, V>,
    private readonly subscriber: Subscriber<R>,
  ) {
    this.groups = new Groups(by);
  }

  next(record: ConsumerRecord<K, V>): void {
    record.takeOver();
    try {
      const slot = this.groups.find(record, (remove) => ({ current: undefined, remove }));
      const { current } = slot;
      if (current !== undefined && this.onBusy(record, current.leader) === 'skip') return;
      const task = new Task(record);
      slot.current = task;
      if (current !== undefined) {
        task.leader.succeed(current.leader);
        this.end(current);
        current.cancel();
      }
      this.start(slot, task);
    } catch (error) {
      record.giveBack();
      this.subscriber.error(error);
    }
  }

  complete(): void {
    this.isUpstreamDone = true;
    this.checkEnd();
  }

  /** What is under way is ended, and its records go back. */
  stop(): void {
    for (const task of [...this.active]) this.abandon(task);
  }

  private start(slot: Slot<K, V>, task: Task<K, V>): void {
    this.active.add(task);
    try {
      const result = toObservable(this.project(task.leader.record, task));
      const inner = result.pipe(takeWhile(() => !task.isOver)).subscribe({
        next: (value) => this.subscriber.next(value),
        error: (error) => this.failed(slot, task, error),
        complete: () => this.done(slot, task),
      });
      task.subscription.add(inner);
    } catch (error) {
      this.failed(slot, task, error);
    }
  }

  private done(slot: Slot<K, V>, task: Task<K, V>): void {
    if (task.isOver) return;
    this.end(task);
    this.leave(slot, task);
    task.leader.record.done();
    this.checkEnd();
  }

  private failed(slot: Slot<K, V>, task: Task<K, V>, error: unknown): void {
    if (task.isOver) return;
    const { record } = task.leader;
    this.abandon(task);
    this.leave(slot, task);
    // Work on what belongs to another by now was told to stop.
    if (record.isFenced) this.checkEnd();
    else this.subscriber.error(error);
  }

  private abandon(task: Task<K, V>): void {
    this.end(task);
    task.cancel();
    task.leader.record.giveBack();
  }

  private end(task: Task<K, V>): void {
    task.isOver = true;
    this.active.delete(task);
  }

  private leave(slot: Slot<K, V>, task: Task<K, V>): void {
    if (slot.current !== task) return;
    slot.current = undefined;
    slot.remove();
  }

  private checkEnd(): void {
    if (this.isUpstreamDone && this.active.size === 0) this.subscriber.complete();
  }
}

/** Work on one record; what it may look at besides. */
class Task<K, V> implements ProcessContext {
  readonly leader: Leader<K, V>;
  readonly subscription = new Subscription();
  isOver = false;
  private controller: AbortController | undefined;

  constructor(private readonly origin: ConsumerRecord<K, V>) {
    this.leader = new Leader(origin, () => undefined);
  }

  /** Made when it is asked for: most work doesn't look at it. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.isOver) this.controller.abort();
    }
    return AbortSignal.any([this.origin.signal, this.controller.signal]);
  }

  get attempt(): number {
    return this.origin.attempt;
  }

  cancel(): void {
    this.subscription.unsubscribe();
    this.controller?.abort();
  }
}
