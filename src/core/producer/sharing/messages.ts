import type { HeaderList } from '../record.js';
import type { PartitionInfo } from '../producer.js';
import type { SharedError } from './shared-error.js';

/** A record whose key and value are bytes or text, as it crosses threads. */
export interface SharedRecord {
  readonly topic: string;
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  readonly headers: HeaderList;
  readonly partition: number | undefined;
  readonly timestamp: number;
}

/** From a worker to the thread that has the producer. Ids ascend by one from record to record. */
export type ToProducer =
  | {
      readonly type: 'records';
      readonly firstId: number;
      readonly records: readonly SharedRecord[];
    }
  | { readonly type: 'flush'; readonly call: number }
  | { readonly type: 'partitions'; readonly call: number; readonly topic: string }
  | { readonly type: 'close' };

/** The outcome of one record. */
export interface SharedOutcome {
  readonly id: number;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly error?: SharedError;
}

/** Back to the worker. */
export type ToWorker =
  | { readonly type: 'outcomes'; readonly outcomes: readonly SharedOutcome[] }
  | { readonly type: 'flushed'; readonly call: number }
  | {
      readonly type: 'partitions';
      readonly call: number;
      readonly partitions?: readonly PartitionInfo[];
      readonly error?: SharedError;
    }
  | { readonly type: 'closed' };
