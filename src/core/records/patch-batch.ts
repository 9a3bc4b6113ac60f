import { crc32c } from './crc32c.js';
import { writeInt16, writeInt32, writeInt64 } from './int64.js';
import * as layout from './layout.js';

/** Who writes a batch, for brokers to notice duplicates and gaps. */
export interface ProducerState {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Sequence number of the batch's first record in its partition. */
  readonly baseSequence: number;
}

/** What a batch without idempotence carries. */
export const NO_PRODUCER: ProducerState = Object.freeze({
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
});

/**
 * Writes who sends a batch of magic 2 into its header, and the checksum anew. The records are not
 * touched: cheap enough for every retry.
 *
 * @example
 * setProducerState(bytes, { producerId, producerEpoch: bumpedEpoch, baseSequence: 0 });
 */
export function setProducerState(batch: Buffer, producer: ProducerState): void {
  writeInt64(batch, layout.PRODUCER_ID_AT, producer.producerId);
  writeInt16(batch, layout.PRODUCER_EPOCH_AT, producer.producerEpoch);
  writeInt32(batch, layout.BASE_SEQUENCE_AT, producer.baseSequence);
  updateCrc(batch);
}

/** Writes the epoch of the leader that stores a batch of magic 2. The checksum does not cover it. */
export function setPartitionLeaderEpoch(batch: Buffer, leaderEpoch: number): void {
  writeInt32(batch, layout.LEADER_EPOCH_AT, leaderEpoch);
}

/** Brings the checksum of a batch of magic 2 in line with its bytes. */
export function updateCrc(batch: Buffer): void {
  writeInt32(batch, layout.CRC_AT, crc32c(batch.subarray(layout.ATTRIBUTES_AT)));
}
