import type { Readable, Writable } from 'node:stream';

/** Where a command reads and writes. */
export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** One verb of the command line. */
export interface Command {
  readonly summary: string;
  /** What `--help` prints. */
  readonly usage: string;
  /** Returns the exit code. */
  run(args: readonly string[], streams: Streams): Promise<number>;
}

/** The arguments make no sense: answered with the usage and exit code 2. */
export class UsageError extends Error {}
