import type { OpenOptions, RecordBatch } from '../../records/index.js';
import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { DeserializationFailure } from '../options.js';

/** What becomes of something that can't be read. */
export type Remedy = 'skip' | 'stop';

/** What a {@link Deliverer} asks of, and tells, the consumer it works for. */
export interface DeliveryHooks {
  /** A batch can't be read; `undefined` when not even its end is known. */
  onCorrupt(
    partition: AssignedPartition,
    error: KafkaError,
    batch: RecordBatch | undefined,
  ): Remedy;
  /** A deserializer failed. */
  onUndecodable(
    partition: AssignedPartition,
    failure: DeserializationFailure,
  ): Remedy | { readonly value: unknown };
  /** What one fetch brought has been delivered whole. */
  onChunkEnd(partition: AssignedPartition): void;
  /** Records came out, or the position moved on. */
  onDelivered(partition: AssignedPartition, records: number): void;
  /** Records are at hand that can't be delivered before others are acked. */
  onHeldUp(partition: AssignedPartition): void;
  /** Nothing more can be delivered now. */
  onIdle(): void;
  /** Reading failed in a way that says nothing about the records: a codec that is not installed. */
  onFailed(partition: AssignedPartition, error: unknown): void;
}

export interface DeliverySettings {
  readonly isAutoAck: boolean;
  /** Records in a row before another partition has its turn. */
  readonly maxPollRecords: number;
  readonly open: Required<Pick<OpenOptions, 'checkCrcs'>>;
  /** Runs a task once the code at work now is done: as a microtask, or in virtual time. */
  readonly soon: (task: () => void) => void;
}

/** Whether its next record may be delivered, if the window allows. */
export function isDeliverable({
  phase,
  isPaused,
  isDraining,
  isDecoding,
  outlet,
}: AssignedPartition): boolean {
  return (
    phase === 'active' &&
    !isPaused &&
    !isDraining &&
    !isDecoding &&
    outlet !== undefined &&
    !outlet.closed
  );
}
