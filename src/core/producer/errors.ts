import { inspect } from 'node:util';
import type { BrokerError } from '../protocol/index.js';
import {
  AuthorizationError,
  FencedError,
  KafkaError,
  SerializationError,
  TimeoutError,
  UnsupportedVersionError,
  type ErrorContext,
} from '../util/errors.js';
import { messageOf } from '../util/message-of.js';

/** What is known of a refusal besides its error. */
interface Particulars {
  /** In the broker's own words. */
  readonly detail?: string | null;
  readonly mayBeWritten?: boolean;
  /** What the largest record takes, where size is what is wrong. */
  readonly tooLargeBytes?: number;
}

/** The failure that a broker's error means for what a producer wanted. */
export function producerError(
  what: string,
  error: BrokerError,
  context: ErrorContext,
  { detail = null, mayBeWritten = false, tooLargeBytes }: Particulars = {},
): KafkaError {
  const said = detail === null || detail === '' ? '' : ` ("${detail}")`;
  const doubt = mayBeWritten ? '; an attempt without an answer may have been written' : '';
  const fix =
    tooLargeBytes === undefined
      ? ''
      : `, and the largest record takes ${tooLargeBytes} bytes; raise max.message.bytes, or send less`;
  const message = `Cannot produce to ${what}: the broker said ${error.name}: ${error.message}${said}${fix}${doubt}`;
  const options = { code: error.name, context, mayBeWritten };
  if (error.isAuthorization) return new AuthorizationError(message, options);
  if (error.name === 'PRODUCER_FENCED') return new FencedError(message, options);
  return new KafkaError(message, { ...options, isRetriable: error.isRetriable });
}

/** A record's key or value that its serializer could not turn into bytes. */
export function serializationFailure(
  topic: string,
  part: 'key' | 'value',
  cause: unknown,
): SerializationError {
  const reason = messageOf(cause);
  return new SerializationError(
    `Cannot serialize the ${part} of a record for ${topic}: ${reason}`,
    {
      context: { topic },
      cause,
    },
  );
}

export function recordTooLarge(topic: string, bytes: number, limit: number): KafkaError {
  return new KafkaError(
    `Cannot produce to ${topic}: the record takes ${bytes} bytes, more than maxRequestSize ` +
      `(${limit}); raise maxRequestSize and the topic's max.message.bytes, or send less`,
    { code: 'RECORD_TOO_LARGE', context: { topic } },
  );
}

/** @param count how many the topic has, where that is known. */
export function invalidPartition(topic: string, partition: unknown, count?: number): KafkaError {
  const range =
    count === undefined
      ? 'partitions are numbers'
      : count === 0
        ? 'it has none'
        : `it has 0 to ${count - 1}`;
  return new KafkaError(
    `Cannot produce to ${topic}: there is no partition ${inspect(partition, { depth: 0 })}; ${range}`,
    { code: 'INVALID_PARTITION', context: { topic } },
  );
}

/** What was asked of a topic that there can't be. */
export function unknowable(complaint: string): KafkaError {
  return new KafkaError(`Cannot look up the partitions of a topic: ${complaint}`, {
    code: 'INVALID_TOPIC_EXCEPTION',
  });
}

export function invalidRecord(topic: string, complaint: string, cause?: unknown): KafkaError {
  return new KafkaError(`Cannot produce to ${topic || 'a topic'}: ${complaint}`, {
    code: 'INVALID_RECORD_INPUT',
    cause,
    context: topic === '' ? {} : { topic },
  });
}

/** A record that throws as it is looked at. */
export function unreadableRecord(topic: string, cause: unknown): KafkaError {
  const reason = messageOf(cause);
  return invalidRecord(topic, `the record can't be read: ${reason}`, cause);
}

export function headersUnsupported(topic: string, partition: number): UnsupportedVersionError {
  return new UnsupportedVersionError(
    `Cannot produce to ${topic}-${partition}: headers need a broker of Kafka 0.11 or later`,
    { context: { topic, partition } },
  );
}

/** A partition that nobody leads just now. */
export function noLeader(topic: string, partition: number): KafkaError {
  return new KafkaError(`Cannot produce to ${topic}-${partition}: it has no leader`, {
    code: 'LEADER_NOT_AVAILABLE',
    context: { topic, partition },
    isRetriable: true,
  });
}

/** A batch, and what became of it so far. */
interface TriedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly attempts: number;
  readonly mayBeWritten: boolean;
}

export function deliveryTimedOut(
  batch: TriedBatch,
  deliveryTimeoutMs: number,
  lastError: KafkaError | undefined,
): TimeoutError {
  const { topic, partition, mayBeWritten } = batch;
  const why = lastError === undefined ? '' : `, and the last error was ${lastError.code}`;
  const more = lastError === undefined ? '' : `: ${lastError.message}`;
  return new TimeoutError(
    `Cannot produce to ${topic}-${partition}: not acknowledged within deliveryTimeoutMs ` +
      `(${deliveryTimeoutMs} ms); ${tried(batch)}${why}${more}`,
    {
      code: 'DELIVERY_TIMED_OUT',
      context: { topic, partition },
      cause: lastError,
      mayBeWritten,
    },
  );
}

/** An error that isn't about a batch, as its records are told it: also whether they may be there. */
export function inDoubt(error: KafkaError, batch: TriedBatch): KafkaError {
  if (!batch.mayBeWritten || error.mayBeWritten) return error;
  const { topic, partition } = batch;
  const { message, code, context, isRetriable } = error;
  const SameClass = error.constructor as typeof KafkaError;
  return new SameClass(`Cannot produce to ${topic}-${partition}: ${message}; ${tried(batch)}`, {
    code,
    context: { ...context, topic, partition },
    cause: error,
    isRetriable,
    mayBeWritten: true,
  });
}

function tried({ attempts, mayBeWritten }: TriedBatch): string {
  const doubt = mayBeWritten ? ' and may have been written' : '';
  return attempts === 0 ? 'it was never sent' : `it was sent ${times(attempts)}${doubt}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

export function metadataTimedOut(
  topic: string,
  maxBlockMs: number,
  cause: KafkaError | undefined,
): TimeoutError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return new TimeoutError(
    `Cannot produce to ${topic}: no broker told where it is within maxBlockMs (${maxBlockMs} ms); ` +
      `does the topic exist, and are the brokers reachable?${why}`,
    { code: 'METADATA_TIMED_OUT', context: { topic }, cause },
  );
}

export function tooManyBlocked(limit: number): KafkaError {
  return new KafkaError(
    `Cannot send: bufferMemory is used up and ${limit} sends (maxBlockedSends) wait for room ` +
      `already; await send(), or use toTopic() or sendAll(), which wait by themselves`,
    { code: 'TOO_MANY_BLOCKED_SENDS', isRetriable: true },
  );
}

export function bufferExhausted(topic: string, maxBlockMs: number): TimeoutError {
  return new TimeoutError(
    `Cannot send to ${topic}: bufferMemory was used up for maxBlockMs (${maxBlockMs} ms)`,
    { code: 'BUFFER_EXHAUSTED', context: { topic } },
  );
}

/** What a producer had no time left to finish as it was closed. */
export function closedBefore(batch: TriedBatch): KafkaError {
  const { topic, partition, mayBeWritten } = batch;
  return new KafkaError(
    `Cannot produce to ${topic}-${partition}: the producer was closed before that was acknowledged; ` +
      tried(batch),
    { code: 'PRODUCER_CLOSED', context: { topic, partition }, mayBeWritten },
  );
}

/** The thread that has the producer is gone, or serves nobody any more, and has the record. */
export function serviceEnded(topic: string): KafkaError {
  return new KafkaError(
    `Cannot produce to ${topic}: the producer of the other thread is gone; the record may have been written`,
    { code: 'PRODUCER_CLOSED', context: { topic }, mayBeWritten: true },
  );
}

export function producerClosed(): KafkaError {
  return new KafkaError('The producer is closed; make another one to send more', {
    code: 'PRODUCER_CLOSED',
  });
}
