/** Where a failure happened. Only what is known is set. */
export interface ErrorContext {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly groupId?: string;
  readonly transactionalId?: string;
  /** Node id and address, as in `2 at b2:9092`. */
  readonly broker?: string;
  /** The request at fault with its version, as in `Produce@11`. */
  readonly api?: string;
}

/**
 * What every failure of this library is an instance of.
 *
 * `code` is stable: a broker's error keeps Kafka's name (`NOT_LEADER_OR_FOLLOWER`), one of ours has
 * a name of the same form. Match on it rather than on the message.
 *
 * @example
 * try {
 *   await producer.send(record);
 * } catch (error) {
 *   if (error instanceof KafkaError && error.code === 'MESSAGE_TOO_LARGE') shrink(record);
 * }
 */
export class KafkaError extends Error {
  readonly code: string;
  readonly context: ErrorContext;
  /** True when the same call may succeed later without the caller changing anything. */
  readonly isRetriable: boolean;
  /**
   * True when a record that this is the failure of may be in the log all the same, for an answer was
   * never heard: sent again, it may be there twice.
   */
  readonly mayBeWritten: boolean;

  constructor(message: string, options: SubclassOptions & { code: string }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.context = options.context ?? {};
    this.isRetriable = options.isRetriable ?? false;
    this.mayBeWritten = options.mayBeWritten ?? false;
  }
}

interface SubclassOptions {
  code?: string;
  context?: ErrorContext;
  cause?: unknown;
  isRetriable?: boolean;
  mayBeWritten?: boolean;
}

/** A socket could not be opened, broke, or was closed while an answer was awaited. */
export class ConnectionError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'CONNECTION_FAILED', isRetriable: true, ...options });
  }
}

/** Something took longer than the caller allowed. */
export class TimeoutError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'TIMED_OUT', isRetriable: true, ...options });
  }
}

/** Bytes or a message object that break the Kafka protocol, on either side. */
export class ProtocolError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'PROTOCOL_VIOLATION', ...options });
  }
}

/** The broker, or the version that was negotiated with it, can't do what was asked. */
export class UnsupportedVersionError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'UNSUPPORTED_VERSION', ...options });
  }
}

/** Stored records that fail their checksum, are cut short or can't be decompressed. */
export class CorruptRecordError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'CORRUPT_RECORD', ...options });
  }
}

/** An option, or a combination of options, that can't work. The message names it and the fix. */
export class ConfigError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'INVALID_OPTION', ...options });
  }
}

/** The principal lacks a permission. */
export class AuthorizationError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'AUTHORIZATION_FAILED', ...options });
  }
}

/** The credentials were refused. */
export class AuthenticationError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'AUTHENTICATION_FAILED', ...options });
  }
}

/** Another producer or member has taken this one's place. */
export class FencedError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'FENCED', ...options });
  }
}

/** A key or value that could not be turned into bytes, or back. */
export class SerializationError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'SERIALIZATION_FAILED', ...options });
  }
}

/** A transaction could not be committed: nothing of it counts. The producer can go on with another. */
export class TransactionAbortedError extends KafkaError {
  constructor(message: string, options: SubclassOptions = {}) {
    super(message, { code: 'TRANSACTION_ABORTED', ...options });
  }
}
