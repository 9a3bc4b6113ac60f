import { spawn } from 'node:child_process';
import { classpathOf } from './classpath.js';
import { findRelease } from './releases.js';

/** What to give to a command, and how long to wait for it. */
export interface RunOptions {
  readonly stdin?: string;
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end and returns what it printed. Rejects with what it complained about when
 * it fails, is not there, or does not end in time.
 *
 * @example
 * await runProgram('kcat', ['-b', bootstrapServers, '-L']);
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { stdin = '', timeoutMs = 45_000 }: RunOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: timeoutMs, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      reject(isMissing ? new Error(`${program} is needed for this test; install it`) : error);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${program} ended with ${code ?? signal}:\n${stderr}\n${stdout}`));
    });
    child.stdin.on('error', () => undefined); // It ended before it had read everything.
    child.stdin.end(stdin);
  });
}

/**
 * Runs one of the command-line tools of Kafka 4.3, without starting a broker.
 *
 * @example
 * await runKafkaTool('org.apache.kafka.tools.TopicCommand', ['--list', '--bootstrap-server', servers]);
 */
export async function runKafkaTool(
  mainClass: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const classpath = await classpathOf(findRelease('4.3'));
  const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath];
  return runProgram('java', [...flags, mainClass, ...args], options);
}
