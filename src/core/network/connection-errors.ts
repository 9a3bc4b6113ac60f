import { ConnectionError, KafkaError } from '../util/errors.js';

/** Whoever wanted a connection called that off. */
export function connectingAborted(broker: string, cause: unknown): ConnectionError {
  return new ConnectionError(`Connecting to ${broker} was aborted`, {
    code: 'ABORTED',
    context: { broker },
    cause,
  });
}

/** A connection did not come to be. */
export function notOpened(broker: string, cause: Error | undefined): Error {
  if (cause instanceof KafkaError) return cause;
  const text =
    cause === undefined
      ? `${broker} closed the connection before it was open`
      : `Cannot connect to ${broker}: ${cause.message}`;
  return new ConnectionError(text, { context: { broker }, cause });
}

/**
 * A request came after the connection had ended.
 *
 * @param api with its version.
 */
export function notSent(broker: string, api: string, cause: Error | undefined): ConnectionError {
  return new ConnectionError(`The connection to ${broker} is closed, ${api} was not sent`, {
    code: 'DISCONNECTED',
    context: { api, broker },
    cause,
  });
}

/**
 * No answer will come; the request may have been carried out.
 *
 * @param api with its version.
 */
export function closedBeforeAnswer(
  broker: string,
  api: string,
  cause: Error | undefined,
): ConnectionError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return new ConnectionError(
    `The connection to ${broker} was closed before ${api} was answered${why}`,
    { code: 'DISCONNECTED', context: { api, broker }, cause },
  );
}
