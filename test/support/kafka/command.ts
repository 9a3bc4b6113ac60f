import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from './classpath.js';
import { startKafka } from './cluster.js';
import { releases } from './releases.js';

const USAGE = `Runs real Kafka brokers from Maven artifacts. Needs Java 17 and Maven.

  npm run kafka -- start VERSION [--nodes 1|3] [--port 9092]
  npm run kafka -- stop [VERSION]     all of them without a version
  npm run kafka -- list               what runs, and which versions there are
`;

interface Running {
  readonly version: string;
  readonly bootstrapServers: string;
  readonly folder: string;
  readonly processGroups: readonly number[];
}

const stateFile = join(cacheFolder, 'running.json');

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: 'string', default: '1' },
      port: { type: 'string', default: '9092' },
      help: { type: 'boolean', default: false },
    },
  });
  const [verb, version] = positionals;
  if (values.help) console.log(USAGE);
  else if (verb === 'start' && version !== undefined) {
    await start(version, values.nodes, Number(values.port));
  } else if (verb === 'stop') await stop(version);
  else if (verb === 'list') await list();
  else {
    console.error(USAGE);
    process.exitCode = 2;
  }
}

async function start(version: string, nodes: string, port: number): Promise<void> {
  if (nodes !== '1' && nodes !== '3') throw new Error('--nodes must be 1 or 3');
  const taken = (await running()).find(({ bootstrapServers }) => hasPort(bootstrapServers, port));
  if (taken !== undefined) {
    throw new Error(
      `Kafka ${taken.version} runs on port ${port}; stop it or choose another --port`,
    );
  }
  console.log(`Starting Kafka ${version} ...`);
  const kafka = await startKafka({
    version,
    nodes: nodes === '1' ? 1 : 3,
    port,
    lifetime: 'detached',
  });
  const { folder, bootstrapServers, processGroups } = kafka;
  await save([
    ...(await running()),
    { version: kafka.version, bootstrapServers, folder, processGroups },
  ]);
  console.log(`Kafka ${kafka.version} answers on ${bootstrapServers}`);
  console.log(`Logs are in ${folder}; stop it with: npm run kafka -- stop ${kafka.version}`);
}

async function stop(version: string | undefined): Promise<void> {
  const all = await running();
  const isWanted = (entry: Running) =>
    version === undefined || version === 'all' || entry.version.startsWith(version);
  for (const entry of all.filter(isWanted)) {
    // Brokers first: ZooKeeper, where there is one, comes first in the list.
    for (const group of [...entry.processGroups].reverse()) await end(group);
    await rm(entry.folder, { recursive: true, force: true });
    console.log(`Stopped Kafka ${entry.version} on ${entry.bootstrapServers}`);
  }
  await save(all.filter((entry) => !isWanted(entry)));
  if (!all.some(isWanted)) console.log('Nothing to stop.');
}

async function list(): Promise<void> {
  for (const { version, bootstrapServers, folder } of await running()) {
    console.log(`running  ${version.padEnd(9)} ${bootstrapServers}  (${folder})`);
  }
  console.log(`available: ${releases.map(({ version }) => version).join(', ')}`);
}

async function running(): Promise<Running[]> {
  const text = await readFile(stateFile, 'utf8').catch(() => '[]');
  const entries = JSON.parse(text) as Running[];
  return entries.filter(({ processGroups }) => processGroups.some(isAlive));
}

async function save(entries: readonly Running[]): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  await writeFile(stateFile, JSON.stringify(entries, undefined, 2));
}

async function end(group: number): Promise<void> {
  signal(group, 'SIGTERM');
  for (let i = 0; i < 100 && isAlive(group); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  signal(group, 'SIGKILL');
}

function signal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // It is gone already.
  }
}

function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

function hasPort(bootstrapServers: string, port: number): boolean {
  return bootstrapServers.split(',').some((server) => server.endsWith(`:${port}`));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
