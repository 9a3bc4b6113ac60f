import type { KafkaError } from '../../util/errors.js';
import type { PartitionQueue } from '../partition-queue.js';
import type { TransactionProtocol } from './state.js';

/** What stands between the records of a transactional producer and their way to the brokers. */
export interface TransactionGate {
  readonly transactionalId: string;
  readonly protocol: TransactionProtocol;
  /** Whether the next batch of a partition may go; asks for what keeps it. */
  maySend(queue: PartitionQueue): boolean;
  /** Batches go out; returns whether that makes partitions part of the transaction. */
  sent(queues: readonly PartitionQueue[]): boolean;
  /** What did that was answered, or will not be: these partitions are part of it now. */
  added(queues: readonly PartitionQueue[]): void;
  /** A record of the transaction will not be written, so that the transaction can't be committed. */
  recordFailed(error: KafkaError): void;
  numberingLost(error: KafkaError): void;
}
