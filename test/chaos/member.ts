import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Fate, MemberStory, Place } from './audit.js';
import type { MemberTask } from './programs/member.js';

/** What the program of a member prints. */
export type MemberLine =
  | ({ readonly type: 'started' | 'finished' } & Place)
  | { readonly type: 'committed'; readonly offsets: readonly Place[] }
  | { readonly type: 'assigned' | 'lost'; readonly partitions: number }
  | { readonly type: 'left'; readonly recordsFinished: number; readonly recordsAbandoned: number };

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A member of a group in a process of its own, and the book that is kept of it. */
export class Member implements MemberStory, AsyncDisposable {
  fate: Fate = 'left';
  readonly started: Place[] = [];
  readonly finished: Place[] = [];
  readonly committed = new Map<number, number>();
  /** It was given partitions. */
  hasJoined = false;
  /** What it did that no member should. */
  readonly misdeeds: string[] = [];
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private isExpectedToEnd = false;
  private errors = '';

  constructor(
    readonly name: string,
    task: MemberTask,
  ) {
    const program = join(import.meta.dirname, 'programs', 'member.ts');
    const args = ['--import', 'tsx', program, JSON.stringify(task)];
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.child);
    this.child.stderr!.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    const lines = createInterface({ input: this.child.stdout! });
    lines.on('line', (line) => this.told(line));
    // What it had told when it ended is read to the end.
    this.exited = Promise.all([once(this.child, 'exit'), once(lines, 'close')]).then(() => {
      running.delete(this.child);
      if (!this.isExpectedToEnd) this.misdeeds.push(`${this.name} ended by itself: ${this.errors}`);
    });
  }

  /** Stops, finishes what it has begun, commits and leaves the group. */
  async leave(): Promise<void> {
    this.isExpectedToEnd = true;
    this.child.stdin!.end();
    await this.exited;
    if (this.child.exitCode !== 0) this.misdeeds.push(`${this.name} failed: ${this.errors}`);
  }

  /** Dies in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.isExpectedToEnd = true;
    this.fate = 'killed';
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (running.has(this.child)) await this.kill();
  }

  private told(text: string): void {
    let line: MemberLine;
    try {
      line = JSON.parse(text) as MemberLine;
    } catch {
      // It was killed in the middle of the word.
      return;
    }
    switch (line.type) {
      case 'started':
      case 'finished':
        this[line.type].push({ partition: line.partition, offset: line.offset });
        break;
      case 'committed':
        for (const { partition, offset } of line.offsets) this.committed.set(partition, offset);
        break;
      case 'assigned':
        if (line.partitions > 0) this.hasJoined = true;
        break;
      case 'lost':
        if (line.partitions > 0)
          this.misdeeds.push(`${this.name} lost ${line.partitions} partitions`);
        break;
      case 'left':
        if (line.recordsAbandoned === 0) break;
        this.misdeeds.push(`${this.name} left ${line.recordsAbandoned} records unfinished`);
    }
  }
}
