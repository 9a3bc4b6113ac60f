import { map, mergeAll, tap, timer, type MonoTypeOperatorFunction, type Observable } from 'rxjs';
import { ackEach, type ConsumerRecord } from '../../../src/index.js';
import type { KafkaMarbleHelpers } from '../../../src/testing/index.js';

export type Orders = Observable<ConsumerRecord>;

type Pipeline = (orders: Orders, t: KafkaMarbleHelpers) => Observable<unknown>;

/** What one operator of RxJS does to acks, as a diagram. */
export interface StockOperator {
  /** As RxJS exports it. */
  readonly name: string;
  /** The operator, and behind it whatever acks. */
  readonly pipeline: Pipeline;
  /** When records are acked. */
  readonly acked: string;
  /** What the next subscription is given. */
  readonly again: string;
  /** Default {@link usualRecords}. */
  readonly records?: string;
}

/** Operators that do the same to acks, with what the documentation says of them. */
export interface StockEffect {
  readonly effect: string;
  /** What of ours serves the purpose; empty where nothing is needed. */
  readonly instead: string;
  readonly operators: readonly StockOperator[];
}

export const usualRecords = '-a-b-c-d-|';

/** Several operators that do the same to the same records. */
export function alike(
  acked: string,
  again: string,
  pipelines: Readonly<Record<string, Pipeline>>,
  records = usualRecords,
): StockOperator[] {
  return Object.entries(pipelines).map(([name, pipeline]) => ({
    name,
    pipeline,
    acked,
    again,
    records,
  }));
}

/** Whoever gets a record acks it. */
export const ack = ackEach<ConsumerRecord>();

/** Whoever gets records acks them all. */
export const ackAll: MonoTypeOperatorFunction<readonly ConsumerRecord[]> = tap((records) => {
  for (const record of records) record.ack();
});

/** Whoever gets records among other things acks the first. */
export const ackFirst = (source: Observable<readonly unknown[]>) =>
  source.pipe(
    map(([record]) => record as ConsumerRecord),
    ack,
  );

/** Acks the records of every inner stream. */
export const ackInner = (inner: Observable<Orders>) => inner.pipe(mergeAll(), ack);

export const textOf = (record: ConsumerRecord) => String(record.value);

/** Whether a record is one of these. */
export const isOneOf = (letters: string) => (record: ConsumerRecord) =>
  letters.includes(textOf(record));

export const isNot = (letter: string) => (record: ConsumerRecord) => textOf(record) !== letter;

/** Work that takes a while. */
export const after = (ms: number) => (record: ConsumerRecord) => timer(ms).pipe(map(() => record));
