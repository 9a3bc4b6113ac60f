import { spawn } from 'node:child_process';
import { MemberProcess } from '../member-process.js';
import type { JavaConfig } from './clients.js';
import { prepare } from './harness.js';

/** Starts a Java consumer in a group. 3.9 has the classic protocol and KIP-848 in preview, 4.x both. */
export async function startJavaMember(
  bootstrapServers: string,
  groupId: string,
  topics: readonly string[],
  { version = '4.3.1', config = {} }: { version?: string; config?: JavaConfig } = {},
): Promise<MemberProcess> {
  const classpath = await prepare('Member', version);
  const all = { 'bootstrap.servers': bootstrapServers, 'group.id': groupId, ...config };
  const argument = JSON.stringify({ config: all, topics });
  const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath];
  return new MemberProcess(
    spawn('java', [...flags, 'Member', argument], { stdio: ['pipe', 'pipe', 'pipe'] }),
  );
}
