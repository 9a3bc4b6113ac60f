import type { BrokerError } from '../protocol/index.js';
import { AuthorizationError, KafkaError, type ErrorContext } from '../util/errors.js';
import { messageOf } from '../util/message-of.js';

/** What a broker refused of a consumer, and where. */
export function consumerError(what: string, error: BrokerError, context: ErrorContext): KafkaError {
  const message = `Cannot ${what}: the broker said ${error.name}: ${error.message}`;
  if (error.isAuthorization) {
    return new AuthorizationError(message, { code: error.name, context });
  }
  return new KafkaError(message, { code: error.name, context, isRetriable: error.isRetriable });
}

export function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`;
}

/** Whatever was thrown, as an error of this library. */
export function asKafkaError(error: unknown, what: string, code: string): KafkaError {
  if (error instanceof KafkaError) return error;
  const reason = messageOf(error);
  return new KafkaError(`${what}: ${reason}`, { code, cause: error });
}

/** The failure of a callback that the user has given. */
export function callbackFailed(name: string, cause: unknown): KafkaError {
  const reason = messageOf(cause);
  return new KafkaError(`The callback ${name} failed: ${reason}`, {
    code: 'CALLBACK_FAILED',
    ...(cause instanceof KafkaError && { context: cause.context }),
    cause,
  });
}
