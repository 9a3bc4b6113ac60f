import {
  AuthenticationError,
  AuthorizationError,
  ConnectionError,
  FencedError,
  KafkaError,
  SerializationError,
  TimeoutError,
  UnsupportedVersionError,
  type ErrorContext,
} from '../../util/errors.js';
import type { HeaderList } from '../record.js';
import type { PartitionInfo } from '../producer.js';

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

/** A {@link KafkaError} as it crosses threads, where classes are lost. */
export interface SharedError {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly context: ErrorContext;
  readonly isRetriable: boolean;
  readonly mayBeWritten: boolean;
}

const classes: Readonly<Record<string, new (message: string, options: never) => KafkaError>> = {
  AuthenticationError,
  AuthorizationError,
  ConnectionError,
  FencedError,
  SerializationError,
  TimeoutError,
  UnsupportedVersionError,
};

export function shareError(error: unknown): SharedError {
  const known =
    error instanceof KafkaError
      ? error
      : new KafkaError(String(error), { code: 'UNKNOWN', cause: error });
  const { name, message, code, context, isRetriable, mayBeWritten } = known;
  return { name, message, code, context, isRetriable, mayBeWritten };
}

export function reviveError({ name, message, ...options }: SharedError): KafkaError {
  const known = classes[name];
  return known === undefined
    ? new KafkaError(message, options)
    : new known(message, options as never);
}
