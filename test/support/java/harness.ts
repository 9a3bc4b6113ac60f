import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cacheFolder, resolveClasspath } from '../kafka/classpath.js';

const run = promisify(execFile);
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A Java program beside this file that answers a line for each line. */
export class JavaHarness implements AsyncDisposable {
  private readonly waiting: { resolve: (answer: string) => void; reject: (e: Error) => void }[] =
    [];

  private constructor(private readonly child: ChildProcess) {
    running.add(child);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    createInterface({ input: child.stdout! }).on('line', (line) => this.answered(line));
    child.once('exit', () => {
      running.delete(child);
      for (const { reject } of this.waiting) reject(new Error(`The harness ended: ${stderr}`));
    });
  }

  /** Compiles a program against a release of kafka-clients, once, and starts it. */
  static async start(
    program: 'Assignors' | 'Clients' | 'Messages' | 'Records',
    kafkaVersion: string,
  ): Promise<JavaHarness> {
    const classpath = await prepare(program, kafkaVersion);
    const args = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath, program];
    return new JavaHarness(spawn('java', args, { stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  /** Sends a command; many may be on the way at once. Rejects with what Java had to say. */
  ask(...command: readonly (string | number)[]): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.child.stdin?.writable !== true) {
        reject(new Error('The harness has ended'));
        return;
      }
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(`${command.join('\t')}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin!.end();
    await exited;
  }

  private answered(line: string): void {
    const at = line.indexOf('\t');
    const { resolve, reject } = this.waiting.shift()!;
    if (line.slice(0, at) === 'ok') resolve(line.slice(at + 1));
    else reject(new Error(line.slice(at + 1)));
  }
}

/** Compiles a program beside this file, once, and gives the class path to run it with. */
export async function prepare(program: string, kafkaVersion: string): Promise<string> {
  const classpath = await resolveClasspath(`clients-${kafkaVersion}`, [
    `org.apache.kafka:kafka-clients:${kafkaVersion}`,
    'com.fasterxml.jackson.core:jackson-databind:2.17.2',
    'org.slf4j:slf4j-nop:1.7.36',
  ]);
  return `${await compile(program, kafkaVersion, classpath)}:${classpath}`;
}

async function compile(program: string, version: string, classpath: string): Promise<string> {
  const source = join(import.meta.dirname, `${program}.java`);
  const hash = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
    .slice(0, 12);
  const folder = join(cacheFolder, 'java', `${program}-${version}-${hash}`);
  const exists = await access(folder).then(
    () => true,
    () => false,
  );
  if (exists) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}-`);
  await run('javac', ['-nowarn', '-cp', classpath, '-d', temporary, source]);
  await rename(temporary, folder).catch(async () => {
    // Another process was faster: what it made is the same.
    await access(folder);
  });
  return folder;
}

/** Apache's definition of a message or of a field in it. */
export interface Definition {
  readonly name: string;
  readonly apiKey?: number;
  readonly type: string;
  readonly validVersions: string;
  readonly flexibleVersions?: string;
  readonly fields?: readonly DefinedField[];
  readonly commonStructs?: readonly { readonly name: string; readonly fields: DefinedField[] }[];
}

export interface DefinedField {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly flexibleVersions?: string;
  readonly tag?: number;
  readonly default?: string | number | boolean;
  readonly ignorable?: boolean;
  readonly fields?: readonly DefinedField[];
}

/** All of Apache's message definitions, by name. */
export async function definitionsOf(messages: JavaHarness): Promise<Map<string, Definition>> {
  const answer = await messages.ask('definitions');
  return new Map(
    answer.split('\t').map((entry) => {
      const at = entry.indexOf('=');
      const text = Buffer.from(entry.slice(at + 1), 'base64').toString('utf8');
      return [entry.slice(0, at), JSON.parse(withoutComments(text)) as Definition];
    }),
  );
}

/** The definitions are JSON with `//` comments. */
function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\]|\\.)*")|\/\/[^\n]*/g,
    (_, quoted: string | undefined) => quoted ?? '',
  );
}
