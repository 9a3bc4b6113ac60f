import { Observable, Subject, type Subscriber } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import type { ConsumerRecord } from '../../core/consumer/record/consumer-record.js';
import type { ConsumerContext } from '../../core/consumer/context.js';
import { Decoder, type DeserializerOptions } from '../../core/consumer/delivering/decoder.js';
import type { ConsumerEvent } from '../../core/consumer/events.js';
import { resolveConsumerOptions, type ConsumerOptions } from '../../core/consumer/options.js';
import type { Clock } from '../../core/util/clock.js';
import { KafkaError } from '../../core/util/errors.js';
import type { Moment } from './diagram.js';
import { MarbleLog, type LetteredContent } from './marble-log.js';
import { MarbleRun, type HeldPartitions, type RunHost } from './marble-run.js';
import { nextAt, type Observed } from './observed.js';

/** What is noted of records, each by the letter it was drawn with. */
export type Note = 'delivered' | 'acked' | 'acked-late' | 'nacked' | 'returned' | 'committed';

type EventType = ConsumerEvent['type'];

/** What a {@link MarbleConsumer} consumes, and how. */
export interface MarbleConsumerSetup {
  readonly scheduler: TestScheduler;
  readonly clock: Clock;
  readonly contents: ReadonlyMap<string, LetteredContent>;
  /** Where records are read from. */
  readonly logs: readonly MarbleLog[];
  readonly options: ConsumerOptions;
  readonly deserializers: DeserializerOptions<unknown, unknown>;
  /** What `#` stands for. */
  readonly error: unknown;
  readonly held: HeldPartitions;
}

/** Records are delivered at once. */
export const heldByNothing: HeldPartitions = {
  attach: () => undefined,
  detach: () => undefined,
};

/**
 * A group with one consumer, over logs that grow as they are drawn. Logs and committed offsets stay
 * when a subscription ends: the next one goes on where the group has committed.
 */
export class MarbleConsumer implements RunHost {
  readonly records: Observable<ConsumerRecord<unknown, unknown>>;
  readonly lifecycle: Observable<ConsumerEvent>;
  readonly context: Pick<ConsumerContext, 'clock' | 'options' | 'emit'>;
  readonly decoder: Decoder;
  readonly logs: readonly MarbleLog[];
  readonly held: HeldPartitions;
  readonly committedBy = new Map<MarbleLog, number>();
  isEnded = false;
  wasSubscribed = false;
  private readonly inHandBy = new Map<MarbleLog, Set<number>>();
  private readonly notes = new Map<Note, Observed[]>();
  private readonly events: { readonly frame: number; readonly type: EventType }[] = [];
  private readonly assigned: Set<MarbleLog>;
  private readonly eventSubject = new Subject<ConsumerEvent>();
  private readonly waiting: (() => void)[] = [];
  private run: MarbleRun | undefined;
  private failingCommits: KafkaError[] = [];

  constructor(private readonly setup: MarbleConsumerSetup) {
    const { clock, options, deserializers, logs, held } = setup;
    this.decoder = new Decoder(deserializers);
    this.lifecycle = this.eventSubject.asObservable();
    this.context = {
      clock,
      options: resolveConsumerOptions({ groupId: 'marbles', ...options }),
      emit: (event) => this.emit(event),
    };
    this.logs = logs;
    this.held = held;
    this.assigned = new Set(this.logs);
    this.records = new Observable((subscriber) => this.subscribe(subscriber));
  }

  /** Writes what a diagram shows, when it is time. */
  play(moments: readonly Moment[]): void {
    const { scheduler } = this.setup;
    for (const { frame, marks } of moments) {
      scheduler.schedule(() => this.happen(marks), Math.max(0, frame - scheduler.now()));
    }
  }

  /** Writes records at once, a batch for each partition. Of other topics, nothing is read. */
  write(records: readonly LetteredContent[]): void {
    const { clock } = this.setup;
    const batches = new Map<MarbleLog, LetteredContent[]>();
    for (const record of records) {
      const { timestamp = clock.now() } = record.content;
      const log = this.logs.find((each) => isOf(each, record));
      if (log === undefined) continue;
      const batch = batches.get(log) ?? [];
      batch.push({ ...record, content: { ...record.content, timestamp } });
      batches.set(log, batch);
    }
    for (const [log, lettered] of batches) {
      const batch = log.append(lettered);
      this.run?.appended(log, batch);
    }
  }

  /** What was noted so far, and will be. */
  noted(note: Note): Observed[] {
    let list = this.notes.get(note);
    if (list === undefined) this.notes.set(note, (list = []));
    return list;
  }

  /** All records that are defined, by their letters. */
  get contents(): ReadonlyMap<string, LetteredContent> {
    return this.setup.contents;
  }

  /** Events of some types, so far. */
  eventsOf(types: ReadonlySet<EventType>): Observed[] {
    return this.events
      .filter(({ type }) => types.has(type))
      .map(({ frame, type }) => nextAt(frame, type));
  }

  /** The letters of what was delivered and neither acked nor given back, while it counts. */
  get inHand(): string[] {
    return this.logs.flatMap((log) =>
      [...(this.inHandBy.get(log) ?? [])].map((offset) => log.letterAt(offset)),
    );
  }

  committedOf(log: MarbleLog): number {
    return this.committedBy.get(log) ?? 0;
  }

  commit(log: MarbleLog, offset: number): boolean {
    const { topic, partition } = log;
    const offsets = [{ topic, partition, offset }];
    const error = this.failingCommits.shift();
    if (error !== undefined) {
      this.emit({ type: 'commit-failed', offsets, error });
      return false;
    }
    this.committedBy.set(log, offset);
    this.note('committed', log, offset - 1);
    this.emit({ type: 'committed', offsets });
    return true;
  }

  onDelivered(log: MarbleLog, offset: number): void {
    this.heldOf(log).add(offset);
    this.note('delivered', log, offset);
  }

  onAcked(log: MarbleLog, offset: number): void {
    this.heldOf(log).delete(offset);
    this.note('acked', log, offset);
  }

  onAckedLate(log: MarbleLog, offset: number): void {
    this.note('acked-late', log, offset);
  }

  onNacked(log: MarbleLog, offset: number): void {
    this.heldOf(log).delete(offset);
    this.note('nacked', log, offset);
  }

  onReturned(log: MarbleLog, offset: number): void {
    this.heldOf(log).delete(offset);
    this.note('returned', log, offset);
  }

  onDropped(log: MarbleLog): void {
    this.inHandBy.delete(log);
  }

  onOver(run: MarbleRun): void {
    if (this.run === run) this.run = undefined;
    // Not at once: whoever ended it is still telling what was done.
    for (const start of this.waiting.splice(0)) this.setup.clock.schedule(0, start);
  }

  // ---- what a lifecycle line can draw

  assign(logs: readonly MarbleLog[]): void {
    for (const log of logs) this.assigned.add(log);
    this.run?.assign(logs);
  }

  revoke(logs: readonly MarbleLog[]): void {
    for (const log of logs) this.assigned.delete(log);
    this.run?.revoke(logs);
  }

  lose(logs: readonly MarbleLog[]): void {
    for (const log of logs) this.assigned.delete(log);
    this.run?.lose(logs);
  }

  drain(): void {
    this.run?.end({ reason: 'drained' });
  }

  failNextCommit(): void {
    const message = 'Cannot commit: drawn in the lifecycle of a test';
    const code = 'COORDINATOR_NOT_AVAILABLE';
    this.failingCommits.push(new KafkaError(message, { code, isRetriable: true }));
  }

  // ---- inside

  private subscribe(subscriber: Subscriber<ConsumerRecord<unknown, unknown>>): void {
    this.wasSubscribed = true;
    const start = () => {
      if (subscriber.closed) return;
      if (this.run?.isEnding === false) {
        subscriber.error(inUse());
      } else if (this.run !== undefined) {
        // One that is still leaving is waited for: a member must not race with its predecessor.
        this.waiting.push(start);
      } else {
        const run = new MarbleRun(this, subscriber);
        this.run = run;
        run.assign([...this.assigned]);
        subscriber.add(() => run.end({ reason: 'unsubscribed' }));
      }
    };
    start();
  }

  private happen(marks: readonly string[]): void {
    const { contents, error } = this.setup;
    this.write(marks.filter((mark) => contents.has(mark)).map((mark) => contents.get(mark)!));
    if (marks.includes('#')) this.run?.end({ reason: 'failed', error });
    if (!marks.includes('|')) return;
    this.isEnded = true;
    this.run?.logsEnded();
  }

  private heldOf(log: MarbleLog): Set<number> {
    let held = this.inHandBy.get(log);
    if (held === undefined) this.inHandBy.set(log, (held = new Set()));
    return held;
  }

  private note(note: Note, log: MarbleLog, offset: number): void {
    this.noted(note).push(nextAt(this.setup.scheduler.now(), log.letterAt(offset)));
  }

  private emit(event: ConsumerEvent): void {
    this.events.push({ frame: this.setup.scheduler.now(), type: event.type });
    this.eventSubject.next(event);
  }
}

/** One for each partition, in the order in which records of it were drawn first. */
export function logsFor(contents: readonly LetteredContent[]): MarbleLog[] {
  const logs: MarbleLog[] = [];
  for (const content of contents) {
    if (logs.some((log) => isOf(log, content))) continue;
    logs.push(new MarbleLog(content.topic, content.partition));
  }
  return logs;
}

function isOf(log: MarbleLog, { topic, partition }: LetteredContent): boolean {
  return log.topic === topic && log.partition === partition;
}

function inUse(): KafkaError {
  return new KafkaError(
    'What records() has made was subscribed to twice at once: like a consumer, it serves one ' +
      'subscription at a time. Use share() or fanOut(), or draw another source',
    { code: 'CONSUMER_IN_USE' },
  );
}
