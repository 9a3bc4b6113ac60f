import { noLeader } from './errors.js';
import type { ProducerContext } from './outcomes.js';
import type { PartitionQueue } from './partition-queue.js';
import { isSameIdentity } from './sequences.js';

/**
 * Tells what may be sent now, and when to look again.
 *
 * Order within a partition holds over retries: batches are numbered when they are first sent; a
 * batch that has to be repeated waits until nothing of its partition is on the way, and nothing
 * overtakes it. The first batch of an epoch travels alone: a broker that knows nothing of a producer
 * takes any sequence number, so a second batch could slip in before a first that was refused.
 * Without idempotence at most one batch of a partition is on the way.
 */
export class Readiness {
  /** At most one batch of a partition may be on the way. */
  isSerial = false;
  /** Where the next look at the partitions starts, so that none is always last. */
  private rotation = 0;

  constructor(private readonly context: ProducerContext) {}

  /** Partitions that have something to send, by the brokers that lead them, those in turn first. */
  byNode(now: number): Map<number, PartitionQueue[]> {
    const { accumulator, cluster, identity } = this.context;
    const nodes = new Map<number, PartitionQueue[]>();
    if (accumulator.active.size === 0 || identity.isPending) return nodes;
    for (const queue of rotated([...accumulator.active], this.rotation++)) {
      // A topic with records on their way is in use, however long they linger.
      cluster.topic(queue.topic);
      // Said early: a partition can become part of the transaction while its records linger.
      if (!this.mayJoin(queue)) continue;
      if (!this.isDue(queue, now)) continue;
      if (!this.isInOrder(queue)) {
        queue.stuckSince ||= now;
        continue;
      }
      const leader = accumulator.topicMetadata(queue.topic)?.partitions[queue.partition]?.leader;
      if (leader === undefined || leader < 0) {
        queue.peek()!.lastError = noLeader(queue.topic, queue.partition);
        cluster.requestMetadataUpdate();
        continue;
      }
      const others = nodes.get(leader);
      if (others === undefined) nodes.set(leader, [queue]);
      else others.push(queue);
    }
    return nodes;
  }

  /** Whether the next batch of a partition may go at once. */
  isSendable(queue: PartitionQueue, now: number): boolean {
    return this.isDue(queue, now) && this.isInOrder(queue) && this.mayJoin(queue);
  }

  /** Whether the transaction lets a partition send, which another broker may keep it from. */
  mayJoin(queue: PartitionQueue): boolean {
    return this.context.transactions?.maySend(queue) !== false;
  }

  /** When something is due that isn't yet, on the monotonic clock; Infinity for never. */
  nextLook(now: number): number {
    const { accumulator, options } = this.context;
    let at = Infinity;
    for (const queue of accumulator.active) {
      const { oldest, open, hasSealed, retryAt } = queue;
      if (oldest !== undefined) at = Math.min(at, oldest.createdAt + options.deliveryTimeoutMs);
      if (hasSealed && retryAt > now) at = Math.min(at, retryAt);
      const lingerEnd =
        open === undefined ? 0 : Math.max(open.createdAt + options.lingerMs, retryAt);
      if (lingerEnd > now) at = Math.min(at, lingerEnd);
    }
    return at;
  }

  /** Whether the next batch of a partition need not wait for more records or for a backoff. */
  private isDue({ open, hasSealed, retryAt }: PartitionQueue, now: number): boolean {
    if (now < retryAt) return false;
    if (hasSealed) return true;
    if (open === undefined) return false;
    const { batchSize, lingerMs } = this.context.options;
    return (
      open.builder.sizeBytes >= batchSize ||
      now - open.createdAt >= lingerMs ||
      this.context.isFlushing()
    );
  }

  /** Whether order allows the next batch of a partition to be sent. */
  private isInOrder(queue: PartitionQueue): boolean {
    if (queue.inFlight.length === 0) return true;
    const { identity, options } = this.context;
    if (identity.current === undefined) return options.acks === 0;
    const { sequences } = queue;
    if (sequences?.disorder !== 'none' || this.isSerial) return false;
    if (queue.peek()?.hasSequence === true) return false;
    return sequences.lastAcked >= 0 && isSameIdentity(sequences.identity, identity.current);
  }
}

function* rotated<T>(list: readonly T[], start: number): IterableIterator<T> {
  for (let i = 0; i < list.length; i++) yield list[(start + i) % list.length]!;
}
