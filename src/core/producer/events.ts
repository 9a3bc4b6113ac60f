import type { KafkaError } from '../util/errors.js';

/** Records for which there was no room were given up, as `overflow` says. */
export interface Dropped {
  readonly type: 'dropped';
  readonly topic: string;
  /** -1 where none was chosen yet. */
  readonly partition: number;
  readonly records: number;
  readonly reason: string;
}

/** What happens to a producer besides what its receipts say. */
export type ProducerEvent =
  | {
      readonly type: 'retried';
      readonly topic: string;
      readonly partition: number;
      readonly records: number;
      readonly attempt: number;
      /** Kafka's name of the error that the attempt met. */
      readonly reason: string;
    }
  | Dropped
  | { readonly type: 'transaction-begun'; readonly transactionalId: string }
  /** The coordinator has decided to commit: `read_committed` consumers will get its records. */
  | { readonly type: 'transaction-committed'; readonly transactionalId: string }
  /** Nothing of the transaction counts. */
  | {
      readonly type: 'transaction-aborted';
      readonly transactionalId: string;
      /** Why; `undefined` where it was asked for. */
      readonly reason: KafkaError | undefined;
    }
  /** Another producer has taken over the transactional id: this one can't go on. */
  | { readonly type: 'fenced'; readonly transactionalId: string; readonly error: KafkaError }
  | {
      readonly type: 'warning';
      readonly code: string;
      readonly message: string;
    };

export function dropped(topic: string, partition: number, records: number): Dropped {
  return { type: 'dropped', topic, partition, records, reason: 'bufferMemory was used up' };
}
