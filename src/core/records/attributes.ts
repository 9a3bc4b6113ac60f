export const CODEC_MASK = 0x07;
export const LOG_APPEND_TIME = 0x08;
export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;
export const DELETE_HORIZON = 0x40;

/** Who set a record's timestamp, in the terms of the topic setting `message.timestamp.type`. */
export type TimestampType = 'CreateTime' | 'LogAppendTime' | 'NoTimestampType';

/** Messages of magic 0 have no timestamp at all. */
export function timestampTypeOf(magic: number, attributes: number): TimestampType {
  if (magic === 0) return 'NoTimestampType';
  return (attributes & LOG_APPEND_TIME) === 0 ? 'CreateTime' : 'LogAppendTime';
}
