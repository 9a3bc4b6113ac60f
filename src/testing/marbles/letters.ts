import { ConsumerRecord } from '../../core/consumer/record/consumer-record.js';
import { originsOf } from '../../core/records/index.js';
import type { DeliveryOwner } from '../../core/consumer/delivering/delivery.js';
import type { MarbleLog } from './marble-log.js';

const logs = new WeakMap<DeliveryOwner, MarbleLog>();

/** Remembers which log the records of an assignment come from. */
export function rememberLog(owner: DeliveryOwner, log: MarbleLog): void {
  logs.set(owner, log);
}

/** The letter that a record was drawn with, or that of what it was derived from. */
export function letterOf(value: unknown): string | undefined {
  if (value instanceof ConsumerRecord) {
    return logs.get(value.owner)?.letterAt(value.offset);
  }
  const letters = originsOf(value).flatMap((origin) => letterOf(origin) ?? []);
  return letters.length > 0 ? letters.join('') : letterOfInner(value);
}

/**
 * A value as it is drawn: records by their letters, receipts by those of what was sent, in whatever
 * they are packed.
 */
export function asDrawn(value: unknown): unknown {
  const letter = letterOf(value);
  if (letter !== undefined) return isFailure(value) ? `${letter} failed` : letter;
  const list = listOf(value);
  return list === undefined ? value : list.map((each) => asDrawn(each));
}

/** The values of a list, or the records of a batch. */
function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (typeof value !== 'object' || value === null || !('records' in value)) return undefined;
  return Array.isArray(value.records) ? (value.records as readonly unknown[]) : undefined;
}

/** Receipts, failures and the tokens of sinks hold what was sent; batches their records. */
function letterOfInner(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if ('origin' in value) return letterOf(value.origin);
  if (!('origins' in value) || !Array.isArray(value.origins)) return undefined;
  const letters = value.origins.flatMap((origin) => letterOf(origin) ?? []);
  return letters.length > 0 ? letters.join('') : undefined;
}

function isFailure(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'error' in value && 'origin' in value;
}
