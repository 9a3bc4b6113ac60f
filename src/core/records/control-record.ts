import { CorruptRecordError } from '../util/errors.js';
import { readInt16, readInt32 } from './int64.js';

/** What a record of a control batch says. */
export type ControlRecord =
  /** The end of a transaction of the batch's producer. */
  | { readonly kind: 'abort' | 'commit'; readonly coordinatorEpoch: number }
  /** Something else between brokers, of the given type number. */
  | { readonly kind: 'other'; readonly type: number };

const ABORT = 0;
const COMMIT = 1;
const KEY_BYTES = 4;
const VALUE_BYTES = 6;

/**
 * Reads a record of a control batch.
 *
 * @throws CorruptRecordError when key or value are too short.
 * @example
 * if (batch.isControl) for (const { key, value } of recordsOf(batch)) readControlRecord(key, value);
 */
export function readControlRecord(key: Buffer | null, value: Buffer | null): ControlRecord {
  if (key === null || key.length < KEY_BYTES) {
    throw new CorruptRecordError(`A control record has a key of ${key?.length ?? 0} bytes`);
  }
  const type = readInt16(key, 2);
  if (type !== ABORT && type !== COMMIT) return { kind: 'other', type };
  if (value === null || value.length < VALUE_BYTES) {
    throw new CorruptRecordError(`A control record has a value of ${value?.length ?? 0} bytes`);
  }
  return {
    kind: type === COMMIT ? 'commit' : 'abort',
    coordinatorEpoch: readInt32(value, 2),
  };
}
