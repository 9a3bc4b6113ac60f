import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { JavaConfig } from './clients.js';
import { prepare } from './harness.js';

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
 * A Java consumer in a group, in a process of its own, so that it can be killed. It commits after
 * each poll.
 */
export class JavaMember implements AsyncDisposable {
  /** Everything it has seen. */
  readonly seen: MemberRecord[] = [];
  /** The partitions it holds now, as `orders-0`. */
  readonly held = new Set<string>();
  hasLeft = false;
  private errors = '';
  private readonly exited: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    running.add(child);
    this.exited = once(child, 'exit').then(() => running.delete(child));
    child.stderr!.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    createInterface({ input: child.stdout! }).on('line', (line) =>
      this.told(JSON.parse(line) as MemberLine),
    );
  }

  /** Version 3.9 has the classic protocol and KIP-848 in preview, 4.x has both. */
  static async start(
    bootstrapServers: string,
    groupId: string,
    topics: readonly string[],
    { version = '4.3.1', config = {} }: { version?: string; config?: JavaConfig } = {},
  ): Promise<JavaMember> {
    const classpath = await prepare('Member', version);
    const all = { 'bootstrap.servers': bootstrapServers, 'group.id': groupId, ...config };
    const argument = JSON.stringify({ config: all, topics });
    const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath];
    return new JavaMember(
      spawn('java', [...flags, 'Member', argument], { stdio: ['pipe', 'pipe', 'pipe'] }),
    );
  }

  /** What it complained of. */
  get complaints(): string {
    return this.errors;
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
