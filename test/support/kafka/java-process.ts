import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

const running = new Set<JavaProcess>();
process.once('exit', () => {
  for (const java of running) java.kill('SIGKILL');
});

/**
 * Ends the JVM when this process is gone, however it ended: the shell's `read` returns when its
 * standard input closes, which even SIGKILL of this process does. The shell outlives a SIGTERM, so
 * that its own end means that the JVM has shut down.
 */
const GUARD = `exec 3<&0
trap : TERM
"$@" &
child=$!
(trap - TERM; read -r _ <&3; kill -9 $child) 2>/dev/null &
while kill -0 $child 2>/dev/null; do wait $child; done`;

/** A JVM that does not outlive this process, unless it is told to. */
export class JavaProcess {
  private readonly child: ChildProcess;
  private readonly pid: number;
  private exit: { code: number | null } | undefined;
  private readonly exited: Promise<void>;

  constructor(
    args: readonly string[],
    readonly logFile: string,
    cwd: string,
    lifetime: 'with-parent' | 'detached' = 'with-parent',
  ) {
    const log = openSync(logFile, 'a');
    const command =
      lifetime === 'detached' ? ['java', ...args] : ['bash', '-c', GUARD, 'guard', 'java', ...args];
    this.child = spawn(command[0]!, command.slice(1), {
      cwd,
      detached: true,
      stdio: [lifetime === 'detached' ? 'ignore' : 'pipe', log, log],
    });
    closeSync(log);
    this.pid = this.child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      this.child.once('error', () => this.over(null, resolve));
      this.child.once('exit', (code) => this.over(code, resolve));
    });
    if (lifetime === 'detached') this.child.unref();
    else running.add(this);
  }

  get hasExited(): boolean {
    return this.exit !== undefined;
  }

  /** The leader of the group of processes. */
  get groupId(): number {
    return this.pid;
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Sends a signal to the JVM and its guard. */
  kill(signal: NodeJS.Signals): void {
    if (this.pid === 0) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // It is gone already.
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 15_000): Promise<void> {
    if (this.hasExited) return;
    this.kill(signal);
    const timer = setTimeout(() => this.kill('SIGKILL'), patienceMs);
    await this.exited;
    clearTimeout(timer);
    this.kill('SIGKILL');
  }

  private over(code: number | null, resolve: () => void): void {
    this.exit = { code };
    running.delete(this);
    resolve();
  }
}
