/** A record that the broker refuses, for the answer to say which and why (KIP-467). */
export interface RecordFault {
  /** Position of the record in its batch. */
  readonly index: number;
  readonly message: string;
}

/** A request, or a part of one, that the broker refuses with an error code. */
export class Rejection extends Error {
  override readonly name = 'Rejection';

  constructor(
    readonly errorCode: number,
    message: string,
    /** The records at fault, where single ones are. */
    readonly recordFaults: readonly RecordFault[] = [],
  ) {
    super(message);
  }
}

/** Runs `attempt`; a {@link Rejection} becomes a value, anything else goes on. */
export function orRejection<T>(attempt: () => T): T | Rejection {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
