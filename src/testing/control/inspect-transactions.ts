import type { Cluster } from '../state/cluster.js';
import type { PartitionsByTopic } from '../state/groups/embedded-protocol.js';
import type { Transaction, TransactionState } from '../state/transactions/transaction.js';

/** A transactional id with its transaction at one moment. */
export interface TransactionSnapshot {
  readonly transactionalId: string;
  /** As Kafka's tools print it: `Ongoing` while a transaction is open. */
  readonly state: TransactionState;
  readonly producerId: number;
  readonly epoch: number;
  readonly timeoutMs: number;
  /** When the last transaction began, in milliseconds since 1970; -1 before the first. */
  readonly startedAtMs: number;
  /** Partitions that take part and have no marker yet. */
  readonly partitions: PartitionsByTopic;
  /** Groups whose offsets are committed along, until that is done. */
  readonly groups: readonly string[];
  /** Id of the broker that coordinates it; -1 while none does. */
  readonly coordinator: number;
}

export function snapshotTransactions(cluster: Cluster): Record<string, TransactionSnapshot> {
  return Object.fromEntries(
    cluster.transactions.all.map((transaction) => [
      transaction.transactionalId,
      snapshotTransaction(transaction, cluster),
    ]),
  );
}

function snapshotTransaction(transaction: Transaction, cluster: Cluster): TransactionSnapshot {
  const { transactionalId, state, producerId, epoch, timeoutMs, startedAtMs } = transaction;
  return {
    transactionalId,
    state,
    producerId,
    epoch,
    timeoutMs,
    startedAtMs,
    partitions: byTopic(transaction),
    groups: [...transaction.groups],
    coordinator: cluster.coordinatorOf(transactionalId)?.id ?? -1,
  };
}

function byTopic({ partitions }: Transaction): PartitionsByTopic {
  const found: Record<string, number[]> = {};
  const sorted = [...partitions].sort((a, b) => a.index - b.index);
  for (const { topic, index } of sorted) (found[topic] ??= []).push(index);
  return found;
}
