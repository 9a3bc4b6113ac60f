import * as errors from '../../util/errors.js';
import { KafkaError, type ErrorContext } from '../../util/errors.js';

/** A {@link KafkaError} as it crosses threads, where classes are lost. */
export interface SharedError {
  readonly type: 'kafka';
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly context: ErrorContext;
  readonly isRetriable: boolean;
  readonly mayBeWritten: boolean;
  readonly cause?: SharedCause;
}

/** What an error came from: another one, one that is not of this library, or a value that was thrown. */
type SharedCause =
  | SharedError
  | {
      readonly type: 'other';
      readonly name: string;
      readonly message: string;
      readonly code?: string | number;
      readonly cause?: SharedCause;
    }
  | { readonly type: 'value'; readonly value: string | number | bigint | boolean | null };

/** How many causes cross, one behind the other: a chain may be endless. */
const MOST_CAUSES = 8;

const classes = new Map<string, new (message: string, options: never) => KafkaError>(
  Object.entries(errors),
);

/** What can be cloned of an error, whatever it is: what can't would take the outcomes of others along. */
export function shareError(error: unknown): SharedError {
  return error instanceof KafkaError
    ? shareKafkaError(error, MOST_CAUSES)
    : shareKafkaError(new KafkaError(text(error), { code: 'UNKNOWN', cause: error }), MOST_CAUSES);
}

function shareKafkaError(error: KafkaError, causesLeft: number): SharedError {
  return {
    type: 'kafka',
    name: text(error.name),
    message: text(error.message),
    code: text(error.code),
    context: plain(error.context),
    isRetriable: error.isRetriable,
    mayBeWritten: error.mayBeWritten,
    ...causeOf(error, causesLeft),
  };
}

function causeOf(error: Error, causesLeft: number): { readonly cause?: SharedCause } {
  const cause = read(error, 'cause');
  if (cause === undefined || causesLeft === 0) return {};
  return { cause: shareCause(cause, causesLeft - 1) };
}

function shareCause(cause: unknown, causesLeft: number): SharedCause {
  if (cause instanceof KafkaError) return shareKafkaError(cause, causesLeft);
  if (!(cause instanceof Error)) {
    return { type: 'value', value: isPlain(cause) ? cause : text(cause) };
  }
  const code = read(cause, 'code');
  return {
    type: 'other',
    name: text(read(cause, 'name')),
    message: text(read(cause, 'message')),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...causeOf(cause, causesLeft),
  };
}

/** The values of a context that are what they are said to be. */
function plain(context: ErrorContext): ErrorContext {
  return Object.fromEntries(Object.entries(context).filter(([, value]) => isPlain(value)));
}

function isPlain(value: unknown): value is string | number | bigint | boolean | null {
  return value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
}

/** A property that may throw as it is looked at: errors are the user's, too. */
function read(error: Error, name: 'cause' | 'code' | 'name' | 'message'): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  try {
    return String(value);
  } catch {
    return 'something that can not be shown';
  }
}

export function reviveError({ type: _, name, message, cause, ...rest }: SharedError): KafkaError {
  const options = { ...rest, ...(cause !== undefined && { cause: reviveCause(cause) }) };
  const known = classes.get(name);
  return known === undefined
    ? new KafkaError(message, options)
    : new known(message, options as never);
}

function reviveCause(cause: SharedCause): unknown {
  switch (cause.type) {
    case 'kafka':
      return reviveError(cause);
    case 'value':
      return cause.value;
    case 'other': {
      const options = cause.cause === undefined ? {} : { cause: reviveCause(cause.cause) };
      const error = new Error(cause.message, options);
      if (cause.name !== error.name) error.name = cause.name;
      return cause.code === undefined ? error : Object.assign(error, { code: cause.code });
    }
  }
}
