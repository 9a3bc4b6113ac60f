import { CorruptRecordError, type ErrorContext } from '../util/errors.js';

/** Where stored records came from, as far as is known; goes into the errors about them. */
export type RecordContext = Pick<ErrorContext, 'topic' | 'partition' | 'broker'>;

/** `Corrupt records at offset 17 of orders-3: the batch's length is -1` */
export function corruptRecords(
  what: string,
  context: RecordContext,
  offset: number,
  cause?: unknown,
): CorruptRecordError {
  const { topic, partition } = context;
  const place = topic === undefined ? '' : ` of ${topic}-${partition ?? '?'}`;
  return new CorruptRecordError(`Corrupt records at offset ${offset}${place}: ${what}`, {
    ...(cause instanceof CorruptRecordError ? { code: cause.code } : {}),
    context: { ...context, offset },
    cause,
  });
}
