import { execFileSync, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a child process is to do: call an exported function of a module of this folder. */
export interface Task {
  /** As in `./produce-run.js`. */
  readonly module: string;
  readonly call: string;
  readonly args: readonly unknown[];
  /** For Node itself. */
  readonly flags?: readonly string[];
}

interface Answer<T> {
  readonly result?: T;
  readonly failure?: string;
}

const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * Compiles bench and library, for the children run plain JavaScript: a loader in the process would
 * count as CPU time and memory of whoever is measured. They load the library as it is published.
 */
export function build(): void {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  execFileSync(process.execPath, [tsc, '-p', here], { stdio: 'inherit' });
  const bundle = fileURLToPath(new URL('../scripts/bundle.js', import.meta.url));
  execFileSync(process.execPath, [bundle, `${here}.build/src`], { stdio: 'ignore' });
}

/**
 * Does a task in a process of its own, after {@link build}, and gives what it returned. The signal
 * ends it early.
 */
export function inChild<T>(
  task: Task,
  { timeoutMs = 120_000, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const child = fork(`${here}.build/bench/child.js`, {
    execArgv: [...(task.flags ?? [])],
    timeout: timeoutMs,
    ...(signal !== undefined && { signal }),
  });
  return new Promise((resolve, reject) => {
    let answer: Answer<T> | undefined;
    child.on('message', (message: typeof answer) => (answer = message));
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (answer === undefined) {
        reject(new Error(`${task.call} of ${task.module} ended with ${code ?? signal}`));
      } else if (answer.failure !== undefined) {
        reject(new Error(answer.failure));
      } else {
        // It was undefined if it was lost on the way.
        resolve(answer.result as T);
      }
    });
    child.send(task);
  });
}

async function perform({ module, call, args }: Task): Promise<void> {
  type Exports = Record<string, (...args: readonly unknown[]) => unknown>;
  try {
    const exports = (await import(module)) as Exports;
    answer({ result: await exports[call]!(...args) });
  } catch (error) {
    answer({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

/** What a client left open does not keep the process alive. */
function answer(message: Answer<unknown>): void {
  process.send!(message, () => process.exit(0));
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', (task: Task) => void perform(task));
  process.once('disconnect', () => process.exit(1));
}
