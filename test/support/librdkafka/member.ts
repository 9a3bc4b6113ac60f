import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../kafka/classpath.js';
import { MemberProcess } from '../member-process.js';

const run = promisify(execFile);
/** It brings a librdkafka of 2.16, which has KIP-848; Debian's kcat has 2.0. */
const PACKAGE = 'confluent-kafka==2.16.1';

/** Starts a consumer in a group that librdkafka runs. Needs Python and pip. */
export async function startLibrdkafkaMember(
  bootstrapServers: string,
  groupId: string,
  topics: readonly string[],
  config: Readonly<Record<string, string | number>> = {},
): Promise<MemberProcess> {
  const all = { 'bootstrap.servers': bootstrapServers, 'group.id': groupId, ...config };
  const program = join(import.meta.dirname, 'member.py');
  const env = { ...process.env, PYTHONPATH: await installed() };
  const argument = JSON.stringify({ config: all, topics });
  return new MemberProcess(
    spawn('python3', [program, argument], { env, stdio: ['pipe', 'pipe', 'pipe'] }),
  );
}

/** Where the package is, installed once for this Python. */
async function installed(): Promise<string> {
  const { stdout: python } = await run('python3', [
    '-c',
    'import sys; print(sys.version_info[:2])',
  ]);
  const name = `${PACKAGE} ${python}`.replaceAll(/[^\w.]+/g, '-');
  const folder = join(cacheFolder, 'python', name);
  if (await exists(folder)) return folder;
  await mkdir(join(cacheFolder, 'python'), { recursive: true });
  // Made aside and renamed, for another process may do the same.
  const temporary = await mkdtemp(join(cacheFolder, 'python', 'new-'));
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', temporary, PACKAGE]);
  await rename(temporary, folder).catch(() => rm(temporary, { recursive: true }));
  return folder;
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
