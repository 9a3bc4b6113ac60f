import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface MemberRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value: string | null;
}

type MemberLine =
  | { readonly type: 'assigned' | 'revoked' | 'lost'; readonly partitions: readonly string[] }
  | { readonly type: 'records'; readonly records: readonly MemberRecord[] }
  | { readonly type: 'left' };

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A member of a group that another client runs, in a process of its own, so that it can be killed.
 * It tells what happens, one JSON object a line, commits after each poll, and leaves in order when
 * its standard input ends.
 */
export class MemberProcess implements AsyncDisposable {
  /** Everything it has seen. */
  readonly seen: MemberRecord[] = [];
  /** The partitions it holds now, as `orders-0`. */
  readonly held = new Set<string>();
  hasLeft = false;
  /** What it complained of. */
  complaints = '';
  private readonly exited: Promise<unknown>;

  constructor(private readonly child: ChildProcess) {
    running.add(child);
    this.exited = once(child, 'close').then(() => running.delete(child));
    child.stderr!.on('data', (chunk: Buffer) => (this.complaints += chunk.toString()));
    createInterface({ input: child.stdout! }).on('line', (line) =>
      this.told(JSON.parse(line) as MemberLine),
    );
  }

  /** Leaves the group in order. */
  async leave(): Promise<void> {
    this.child.stdin!.end();
    await this.exited;
  }

  /** Dies without a word. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (running.has(this.child)) await this.kill();
  }

  private told(line: MemberLine): void {
    switch (line.type) {
      case 'assigned':
        for (const name of line.partitions) this.held.add(name);
        break;
      case 'revoked':
      case 'lost':
        for (const name of line.partitions) this.held.delete(name);
        break;
      case 'records':
        this.seen.push(...line.records);
        break;
      case 'left':
        this.hasLeft = true;
    }
  }
}
