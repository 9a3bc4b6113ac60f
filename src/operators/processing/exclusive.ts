import { from, Observable, Subscriber } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import { custom, resolveOptions, type OptionRule } from '../../core/util/options.js';
import { Groups, type Cell, type Grouping } from './groups.js';
import { Leader } from './leader.js';
import type { ProcessContext } from './processing.js';
import { asResult, type WorkResult } from './work.js';

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
  const { by } = resolveOptions(operator, { by: byRule }, given);
  return by as Grouping<K, V>;
}

/** Work on one record at a time of each group, during one subscription. */
export class Exclusive<K, V, R> {
  isStopped = false;
  private readonly groups: Groups<K, V, Task<K, V, R>>;
  /** What did not end as it was begun. */
  private readonly lasting = new Set<Task<K, V, R>>();
  private running = 0;
  private isUpstreamDone = false;

  constructor(
    private readonly project: ExclusiveProject<K, V, R>,
    private readonly onBusy: OnBusy<K, V>,
    by: Grouping<K, V>,
    readonly subscriber: Subscriber<R>,
  ) {
    this.groups = new Groups(by);
  }

  next(record: ConsumerRecord<K, V>): void {
    record.takeOver();
    try {
      const cell = this.groups.find(record);
      const current = cell.content;
      if (current !== undefined && this.onBusy(record, current.leader) === 'skip') return;
      const task = new Task(this, cell, record);
      cell.content = task;
      if (current !== undefined) {
        task.leader.succeed(current.leader);
        current.end();
        current.cancel();
      }
      this.start(task);
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
    this.isStopped = true;
    for (const task of [...this.lasting]) task.abandon();
  }

  private start(task: Task<K, V, R>): void {
    this.running++;
    try {
      task.follow(asResult(this.project(task.leader.record, task)));
    } catch (error) {
      task.error(error);
    }
    if (task.isOver) return;
    if (this.isStopped) task.abandon();
    else this.lasting.add(task);
  }

  over(task: Task<K, V, R>): void {
    this.running--;
    if (this.lasting.size > 0) this.lasting.delete(task);
  }

  checkEnd(): void {
    if (this.isUpstreamDone && this.running === 0) this.subscriber.complete();
  }
}

/** Work on one record; what it may look at besides; and what listens to its result. */
class Task<K, V, R> implements ProcessContext {
  readonly leader: Leader<K, V>;
  isOver = false;
  // The only way to a subscription before subscribe() has returned.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  private readonly inner = new Subscriber<R>(this);
  private controller: AbortController | undefined;

  constructor(
    private readonly exclusive: Exclusive<K, V, R>,
    private readonly cell: Cell<Task<K, V, R>>,
    private readonly origin: ConsumerRecord<K, V>,
  ) {
    this.leader = new Leader(origin);
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

  /** It may be over already, by what was done as it was begun. */
  follow(result: PromiseLike<R> | Observable<R> | undefined): void {
    // What returns nothing is done, even where the stream has ended within it.
    if (result === undefined) this.finish();
    // A promise is listened to all the same: it wants its failure heard.
    else if (!(result instanceof Observable)) from(result).subscribe(this.inner);
    else if (!this.isOver && !this.exclusive.isStopped) result.subscribe(this.inner);
  }

  next(value: R): void {
    const { exclusive } = this;
    exclusive.subscriber.next(value);
    // By whoever got the value: it is not among what lasts yet while it is being subscribed to.
    if (exclusive.isStopped) this.abandon();
  }

  error(error: unknown): void {
    if (this.isOver) return;
    const { exclusive } = this;
    this.abandon();
    this.leave();
    // Work on what belongs to another by now was told to stop.
    if (this.leader.record.isFenced) exclusive.checkEnd();
    else exclusive.subscriber.error(error);
  }

  complete(): void {
    if (this.exclusive.isStopped) this.abandon();
    else this.finish();
  }

  private finish(): void {
    if (this.isOver) return;
    this.end();
    this.leave();
    this.leader.record.done();
    this.exclusive.checkEnd();
  }

  abandon(): void {
    if (this.isOver) return;
    this.end();
    this.cancel();
    this.leader.record.giveBack();
  }

  end(): void {
    this.isOver = true;
    this.exclusive.over(this);
  }

  cancel(): void {
    this.inner.unsubscribe();
    this.controller?.abort();
  }

  private leave(): void {
    if (this.cell.content === this) this.cell.clear();
  }
}
