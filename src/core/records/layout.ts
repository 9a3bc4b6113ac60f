/** What every batch and every legacy message starts with: offset and length. */
export const LOG_OVERHEAD_BYTES = 12;
export const LENGTH_AT = 8;
export const MAGIC_AT = 16;

/** The shortest length Kafka allows after the first 12 bytes: an empty message of magic 0. */
export const MIN_LENGTH = 14;

/** Size of a v2 batch without records. */
export const BATCH_HEADER_BYTES = 61;
export const LEADER_EPOCH_AT = 12;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const BASE_SEQUENCE_AT = 53;
export const COUNT_AT = 57;

/** Length, attributes, timestamp, offset, key, value and header count, a byte each. */
export const MIN_RECORD_BYTES = 7;

export const LEGACY_CRC_AT = 12;
export const LEGACY_ATTRIBUTES_AT = 17;
export const LEGACY_TIMESTAMP_AT = 18;

/** Where the key's length stands in a message, by magic. */
export function legacyKeyAt(magic: number): number {
  return magic === 0 ? LEGACY_TIMESTAMP_AT : LEGACY_TIMESTAMP_AT + 8;
}

/** Size of a legacy message without the bytes of its key and value, by magic. */
export function legacyOverhead(magic: number): number {
  return legacyKeyAt(magic) + 8;
}
