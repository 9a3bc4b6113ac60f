import { Observable, type MonoTypeOperatorFunction, type Subscriber } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { custom, integer, resolveOptions } from '../core/util/options.js';
import { Queue } from '../core/util/queue.js';
import { Leader } from './processing/leader.js';
import { observe } from './passing/observe.js';
import { Pipelines } from './passing/pipelines.js';
import { whenGivenUp } from './passing/when-given-up.js';

/** What {@link dedupeEach} takes for a duplicate, and how much it remembers. */
export interface DedupeEachOptions<K = unknown, V = unknown> {
  /**
   * What tells duplicates: the key as stored, or what a function returns, bytes or a primitive. A
   * record without one is never a duplicate. Default `'key'`.
   */
  readonly by?: 'key' | ((record: ConsumerRecord<K, V>) => unknown);
  /** How many ids are remembered: the latest. Default 10,000. */
  readonly maxIds?: number;
}

const rules = {
  by: custom<unknown>(
    'key',
    "'key' or a function",
    (value) => value === 'key' || typeof value === 'function',
  ),
  maxIds: integer(10_000, { min: 1 }),
} as const;

/**
 * Lets the first record with an id through, and acks those that repeat it.
 *
 * ```
 * source                -a-b-a-c-b-
 * dedupeEach()          -a-b---c---
 * ```
 *
 * An id is remembered when its record is acked, not when it comes: a record that fails and is
 * delivered again is no duplicate. What repeats an id whose record is still in work, or was nacked and
 * is to come again, waits for it, and is acked or goes back with it.
 *
 * **Guarantees.** Order is kept; no record is acked before one with its id is. The latest `maxIds` ids
 * are remembered, for this subscription: not over restarts, nor for what other members of the group
 * have worked on. What waits is bounded by the consumer's window.
 *
 * **Errors.** What `by` throws ends the stream; that record goes back unacked.
 *
 * @example
 * orders.pipe(
 *   dedupeEach({ by: (order) => order.value.id, maxIds: 100_000 }),
 *   processEach((order) => charge(order.value)),
 * ).subscribe();
 */
export function dedupeEach<K, V>(
  options: DedupeEachOptions<K, V> = {},
): MonoTypeOperatorFunction<ConsumerRecord<K, V>> {
  const { by, maxIds } = resolveOptions('dedupeEach', rules, options);
  const idOf = by === 'key' ? keyOf : (by as (record: ConsumerRecord<K, V>) => unknown);
  return (source) =>
    new Observable<ConsumerRecord<K, V>>((subscriber) => {
      observe(source, subscriber, new Deduping(idOf, maxIds, subscriber));
    });
}

function keyOf({ rawKey }: ConsumerRecord<unknown, unknown>): unknown {
  return rawKey;
}

/** Ids in flight whose partition is gone are looked for when there are more than this. */
const FIRST_SWEEP = 1024;

class Deduping<K, V> {
  private readonly seen: IdWindow;
  private readonly inFlight = new Map<unknown, Leader<K, V>>();
  /** What repeats the id of a record that was nacked, until that has come again. */
  private readonly held = new Map<unknown, Held<K, V>>();
  /** How to listen no more to those that others follow. */
  private readonly watched = new Map<Leader<K, V>, () => void>();
  private readonly pipelines = new Pipelines({
    onDraining: () => this.returnDraining(),
    onLost: () => this.returnDraining(),
  });
  private sweepAt = FIRST_SWEEP;

  constructor(
    private readonly idOf: (record: ConsumerRecord<K, V>) => unknown,
    maxIds: number,
    private readonly subscriber: Subscriber<ConsumerRecord<K, V>>,
  ) {
    this.seen = new IdWindow(maxIds);
  }

  next(record: ConsumerRecord<K, V>): void {
    let id: unknown;
    try {
      id = comparable(this.idOf(record));
    } catch (error) {
      record.giveBack();
      this.subscriber.error(error);
      return;
    }
    if (id === undefined || id === null) {
      this.subscriber.next(record);
      return;
    }
    const first = this.inFlight.get(id);
    const held = this.held.get(id);
    if (this.seen.has(id)) record.ack();
    else if (first !== undefined && !first.record.isFenced) this.follow(first, record);
    else if (held !== undefined && !isSame(held.nacked, record)) this.hold(held, record);
    else this.pass(id, record);
  }

  private follow(first: Leader<K, V>, record: ConsumerRecord<K, V>): void {
    this.pipelines.note(record.pipeline);
    first.add(record);
    if (!this.watched.has(first)) this.watch(first);
  }

  /** One whose epoch ends, as when it is sought elsewhere, may never be settled: nothing must wait for it. */
  private watch(leader: Leader<K, V>): void {
    const { signal } = leader.record;
    const returnFollowers = () => {
      if (!leader.record.isFenced) return;
      for (const record of leader.takeFollowers()) record.giveBack();
    };
    signal.addEventListener('abort', returnFollowers);
    this.watched.set(leader, () => signal.removeEventListener('abort', returnFollowers));
  }

  private unwatch(leader: Leader<K, V>): void {
    this.watched.get(leader)?.();
    this.watched.delete(leader);
  }

  stop(): void {
    this.pipelines.stop();
    for (const id of [...this.held.keys()]) this.release(id);
  }

  private pass(id: unknown, record: ConsumerRecord<K, V>): void {
    const leader = new Leader(record, (isAcked) => {
      this.unwatch(leader);
      if (this.inFlight.get(id) === leader) this.inFlight.delete(id);
      if (isAcked) this.seen.add(id);
      else if (record.isToComeAgain) this.await(id, record, leader);
    });
    for (const follower of this.take(id)) this.follow(leader, follower);
    if (this.inFlight.size >= this.sweepAt) this.sweep();
    this.inFlight.set(id, leader);
    this.subscriber.next(leader.record);
    record.followed(leader.record);
    if (record.pipeline.host.isAutoAck) leader.record.ackUnlessTaken();
  }

  /** Went they back, they would come before it, and whoever keeps its lane would wait for both. */
  private await(id: unknown, nacked: ConsumerRecord<K, V>, leader: Leader<K, V>): void {
    const stopListening = whenGivenUp(nacked, () => this.release(id));
    const held: Held<K, V> = { nacked, followers: [], stopListening };
    this.held.set(id, held);
    for (const follower of leader.takeFollowers()) this.hold(held, follower);
  }

  private hold(held: Held<K, V>, record: ConsumerRecord<K, V>): void {
    record.takeOver();
    this.pipelines.note(record.pipeline);
    held.followers.push(record);
  }

  private release(id: unknown): void {
    for (const record of this.take(id)) record.giveBack();
  }

  private take(id: unknown): readonly ConsumerRecord<K, V>[] {
    const held = this.held.get(id);
    this.held.delete(id);
    held?.stopListening();
    return held?.followers ?? [];
  }

  private returnDraining(): void {
    for (const held of this.held.values()) {
      const { followers } = held;
      held.followers = followers.filter(({ isDraining }) => !isDraining);
      for (const record of followers) if (record.isDraining) record.giveBack();
    }
  }

  /** Records whose epoch is over may never be settled. */
  private sweep(): void {
    for (const [id, { record }] of this.inFlight) if (record.isFenced) this.inFlight.delete(id);
    this.sweepAt = Math.max(FIRST_SWEEP, 2 * this.inFlight.size);
  }
}

/** Records that wait for one to come again. */
interface Held<K, V> {
  readonly nacked: ConsumerRecord<K, V>;
  readonly stopListening: () => void;
  followers: ConsumerRecord<K, V>[];
}

function isSame<K, V>(one: ConsumerRecord<K, V>, other: ConsumerRecord<K, V>): boolean {
  return one.owner === other.owner && one.offset === other.offset;
}

/** The latest ids, in constant time. */
class IdWindow {
  private readonly ids = new Set<unknown>();
  private readonly order = new Queue<unknown>();

  constructor(private readonly size: number) {}

  has(id: unknown): boolean {
    return this.ids.has(id);
  }

  add(id: unknown): void {
    if (this.ids.has(id)) return;
    this.ids.add(id);
    this.order.push(id);
    if (this.order.length > this.size) this.ids.delete(this.order.shift());
  }
}

function comparable(id: unknown): unknown {
  return id instanceof Uint8Array ? Buffer.from(id).toString('latin1') : id;
}
