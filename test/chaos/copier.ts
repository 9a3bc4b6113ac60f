import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CopierLine, CopierTask } from './programs/copier.js';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One that copies by transactions in a process of its own, and what it has told. */
export class Copier {
  copied = 0;
  aborted = 0;
  readonly failures: string[] = [];
  /** What it did that none should. */
  readonly misdeeds: string[] = [];
  private child: ChildProcess | undefined;
  private exited: Promise<unknown> = Promise.resolve();
  private isExpectedToEnd = false;

  constructor(private readonly task: CopierTask) {}

  get isRunning(): boolean {
    return this.child !== undefined;
  }

  start(): void {
    const program = join(import.meta.dirname, 'programs', 'copier.ts');
    const args = ['--import', 'tsx', program, JSON.stringify(this.task)];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let errors = '';
    this.child = child;
    this.isExpectedToEnd = false;
    running.add(child);
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => this.told(line));
    this.exited = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(() => {
      running.delete(child);
      this.child = undefined;
      const name = JSON.stringify(this.task.ids);
      if (!this.isExpectedToEnd) this.misdeeds.push(`${name} ended: ${errors}`);
    });
  }

  /** Finishes what it has begun, and leaves the group. */
  async leave(): Promise<void> {
    this.isExpectedToEnd = true;
    this.child?.stdin!.end();
    await this.exited;
  }

  /** Dies in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.isExpectedToEnd = true;
    this.child?.kill('SIGKILL');
    await this.exited;
  }

  private told(text: string): void {
    let line: CopierLine;
    try {
      line = JSON.parse(text) as CopierLine;
    } catch {
      // It was killed in the middle of the word.
      return;
    }
    if (line.type === 'committed') this.copied += line.records;
    else if (line.type === 'aborted') this.aborted++;
    else this.failures.push(line.reason);
  }
}
