/**
 * A failure inside a message, before it is known where the message stands. Compiled code adds the
 * path of the field as the error passes through; codec.ts turns it into the ProtocolError that
 * users see.
 */
export class WireError extends Error {
  /** From the outermost field inwards. */
  readonly path: string[] = [];

  constructor(
    message: string,
    /** Byte position in the message while decoding. */
    readonly position?: number,
  ) {
    super(message);
  }
}

/** Called by compiled code: notes the field, and the index in its array, that an error came from. */
export function locate(error: unknown, field: string | undefined, index: number): unknown {
  if (error instanceof WireError && field !== undefined) {
    error.path.unshift(index < 0 ? field : `${field}[${index}]`);
  }
  return error;
}

/** `topics[3].partitions[0].leaderId` */
export function formatPath(path: readonly string[]): string {
  return path.join('.');
}
