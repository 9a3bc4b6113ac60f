import type { ConsumerRecord } from '../../core/consumer/index.js';
import type { Content } from '../../core/records/index.js';

/** Names of the headers that a record of a retry topic has besides those of the record it stands for. */
export const retryHeaders = {
  dueAt: 'retry.due-at',
  attempt: 'retry.attempt',
  topic: 'retry.topic',
  partition: 'retry.partition',
  offset: 'retry.offset',
  timestamp: 'retry.timestamp',
} as const;

type AnyRecord = ConsumerRecord<unknown, unknown>;

const ours = new Set<string>(Object.values(retryHeaders));

/** How often work on it was tried before it came into the topic it is in. */
export function attemptsBefore(record: AnyRecord): number {
  return numberIn(record, retryHeaders.attempt);
}

/** When it is to be tried again, in ms since 1970; 0 where it does not say. */
export function dueAtOf(record: AnyRecord): number {
  return numberIn(record, retryHeaders.dueAt);
}

/** The headers of what is to be tried again: its own, when, how often it was tried, and its origin. */
export function headersForRetry(
  record: AnyRecord,
  attempt: number,
  dueAt: number,
): readonly (readonly [string, Content])[] {
  const names = retryHeaders;
  const origin = (name: string, value: string | number) =>
    [name, record.header(name) ?? `${value}`] as const;
  return [
    ...record.headers.filter(([name]) => !ours.has(name)),
    [names.dueAt, `${dueAt}`],
    [names.attempt, `${attempt}`],
    origin(names.topic, record.topic),
    origin(names.partition, record.partition),
    origin(names.offset, record.offset),
    origin(names.timestamp, record.timestamp),
  ];
}

function numberIn(record: AnyRecord, name: string): number {
  const number = Number(record.header(name)?.toString());
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}
