import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { classpathOf } from './classpath.js';
import { JavaProcess } from './java-process.js';
import { freePorts } from './ports.js';
import {
  formatProperties,
  kraftProperties,
  zookeeperBrokerProperties,
  zookeeperProperties,
  type NodePorts,
  type Properties,
} from './properties.js';
import { answers, waitUntil } from './readiness.js';
import { findRelease, isAtLeast, type Release } from './releases.js';

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;
const TOOL_FLAGS = ['-Xmx256m', '-XX:TieredStopAtLevel=1'];

export interface StartOptions {
  /** A version or a line, as in `4.3`. */
  readonly version: string;
  /** Default 1; 3 needs KRaft. */
  readonly nodes?: 1 | 3;
  /** Added to every node's server.properties. */
  readonly properties?: Properties;
  /** Finalized when the storage is formatted, as in `{ 'transaction.version': 1 }`. */
  readonly features?: Readonly<Record<string, number>>;
  /** The client port of the first node; default a free one. */
  readonly port?: number;
  readonly jvmFlags?: readonly string[];
  /** `detached` brokers outlive this process. Default `with-parent`. */
  readonly lifetime?: 'with-parent' | 'detached';
}

export interface TopicOptions {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: Properties;
}

/** One broker of a {@link KafkaCluster}. */
export interface KafkaNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  /** Sends a signal and waits until the process is gone, but for SIGSTOP and SIGCONT. */
  kill(signal: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
  /** Starts it again on the same ports and folder. */
  start(): Promise<void>;
}

/**
 * Starts a real Kafka and waits until it answers. It ends with this process at the latest.
 *
 * @example
 * await using kafka = await startKafka({ version: '4.3' });
 * const { bootstrapServers } = kafka;
 */
export async function startKafka(options: StartOptions): Promise<KafkaCluster> {
  requireJava();
  const release = findRelease(options.version);
  const count = options.nodes ?? 1;
  if (count > 1 && release.mode === 'zookeeper') {
    throw new Error(`Kafka ${release.version} runs here with one node only`);
  }
  const classpath = await classpathOf(release);
  const folder = await mkdtemp(join(tmpdir(), `rx-kafka-${release.version}-`));
  const ports = await nodePorts(count, options.port);
  const cluster = new KafkaCluster(release, options, classpath, folder, ports);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.abandon();
    throw error;
  }
  return cluster;
}

/** A running Kafka. */
export class KafkaCluster implements AsyncDisposable {
  readonly nodes: readonly KafkaNode[];
  private readonly processes = new Map<number, JavaProcess>();
  private zookeeper: JavaProcess | undefined;

  /** Use {@link startKafka}. */
  constructor(
    private readonly release: Release,
    private readonly options: StartOptions,
    private readonly classpath: string,
    readonly folder: string,
    private readonly ports: readonly NodePorts[],
  ) {
    this.nodes = ports.map(({ broker }, i) => ({
      id: i + 1,
      host: this.host,
      port: broker,
      kill: (signal) => this.kill(i + 1, signal),
      stop: async () => this.processes.get(i + 1)?.stop(),
      start: () => this.startNodes([i + 1]),
    }));
  }

  get version(): string {
    return this.release.version;
  }

  /** As a client's `bootstrapServers`. */
  get bootstrapServers(): string {
    return this.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  }

  /** The leaders of the groups of processes that make up the cluster. */
  get processGroups(): number[] {
    return [this.zookeeper, ...this.processes.values()].flatMap((java) => java?.groupId ?? []);
  }

  /** Formats and starts everything, and waits until it answers. */
  async start(): Promise<void> {
    await writeFile(join(this.folder, 'log4j.properties'), LOG4J);
    await writeFile(join(this.folder, 'log4j2.yaml'), LOG4J2);
    if (this.release.mode === 'zookeeper') await this.startZookeeper();
    await this.prepare();
    await this.startNodes(this.nodes.map(({ id }) => id));
  }

  /** Creates a topic with Kafka's own tool. */
  async createTopic(
    name: string,
    { partitions = 1, replicationFactor = 1, config = {} } = {},
  ): Promise<void> {
    const isOld = !isAtLeast(this.version, '2.2');
    const tool = isAtLeast(this.version, '3.9')
      ? 'org.apache.kafka.tools.TopicCommand'
      : 'kafka.admin.TopicCommand';
    const where = isOld
      ? ['--zookeeper', `127.0.0.1:${this.ports[0]!.internal}`]
      : ['--bootstrap-server', this.bootstrapServers];
    await this.runTool(tool, [
      ...where,
      '--create',
      '--topic',
      name,
      '--partitions',
      String(partitions),
      '--replication-factor',
      String(replicationFactor),
      ...Object.entries<string | number>(config).flatMap(([key, value]) => [
        '--config',
        `${key}=${value}`,
      ]),
    ]);
  }

  /** Runs one of Kafka's command-line tools and returns what it printed. */
  async runTool(
    mainClass: string,
    args: readonly string[],
    { stdin = '', timeoutMs = 60_000 }: { stdin?: string; timeoutMs?: number } = {},
  ): Promise<string> {
    const child = run(
      'java',
      [...TOOL_FLAGS, ...this.logFlags(), '-cp', this.classpath, mainClass, ...args],
      { cwd: this.folder, timeout: timeoutMs, maxBuffer: 256 * 1024 * 1024 },
    );
    child.child.stdin?.end(stdin);
    const { stdout } = await child;
    return stdout;
  }

  /** What the nodes have logged. */
  logs(): string {
    return [this.zookeeper, ...this.processes.values()].map((java) => java?.log ?? '').join('\n');
  }

  /** Stops everything and removes the data. */
  async stop(): Promise<void> {
    await Promise.all([...this.processes.values()].map((java) => java.stop()));
    await this.zookeeper?.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Kills everything and leaves the logs to be looked at. */
  async abandon(): Promise<void> {
    await Promise.all([...this.processes.values()].map((java) => java.stop('SIGKILL')));
    await this.zookeeper?.stop('SIGKILL');
  }

  private get host(): string {
    return this.release.mode === 'zookeeper' ? '127.0.0.1' : 'localhost';
  }

  private async startZookeeper(): Promise<void> {
    const { internal } = this.ports[0]!;
    const file = join(this.folder, 'zk.properties');
    await writeFile(file, formatProperties(zookeeperProperties(internal)));
    const mainClass = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
    const flags = ['-Xmx256m', '-Dzookeeper.jmx.log4j.disable=true'];
    this.zookeeper = this.launch('zookeeper', flags, mainClass, file, this.folder);
    await this.awaitReady(this.zookeeper, 'ZooKeeper', () => accepts(internal));
  }

  private async prepare(): Promise<void> {
    const directoryIds = this.nodes.map(() => randomId());
    const clusterId = randomId();
    for (const { id } of this.nodes) {
      const folder = this.nodeFolder(id);
      await mkdir(folder, { recursive: true });
      const base =
        this.release.mode === 'zookeeper'
          ? zookeeperBrokerProperties(this.release, this.ports[0]!)
          : kraftProperties(this.release, id, this.ports);
      const properties = { ...base, ...this.options.properties };
      await writeFile(join(folder, 'server.properties'), formatProperties(properties));
      if (this.release.mode !== 'zookeeper') await this.format(id, clusterId, directoryIds);
    }
  }

  private async format(id: number, clusterId: string, directoryIds: string[]): Promise<void> {
    const voters = this.ports.map(
      ({ internal }, i) => `${i + 1}@localhost:${internal}:${directoryIds[i]!}`,
    );
    const quorum =
      this.release.mode === 'kraft-static'
        ? []
        : this.ports.length === 1
          ? ['--standalone']
          : ['--initial-controllers', voters.join(',')];
    const features = Object.entries(this.options.features ?? {}).flatMap(([name, level]) => [
      '--feature',
      `${name}=${level}`,
    ]);
    const args = ['format', '-t', clusterId, '-c', 'server.properties', ...quorum, ...features];
    const tool = ['-cp', this.classpath, 'kafka.tools.StorageTool', ...args];
    await run('java', [...TOOL_FLAGS, ...this.logFlags(), ...tool], { cwd: this.nodeFolder(id) });
  }

  private async startNodes(ids: readonly number[]): Promise<void> {
    const flags = this.options.jvmFlags ?? ['-Xmx512m', '-XX:TieredStopAtLevel=1'];
    for (const id of ids) {
      const folder = this.nodeFolder(id);
      const java = this.launch(`node-${id}`, flags, 'kafka.Kafka', 'server.properties', folder);
      this.processes.set(id, java);
    }
    const hasApiVersions = isAtLeast(this.version, '0.10');
    await Promise.all(
      ids.map((id) => {
        const java = this.processes.get(id)!;
        const seen = java.log.length;
        const { broker } = this.ports[id - 1]!;
        return this.awaitReady(java, `node ${id}`, async () => {
          const hasStarted = this.release.startedLine.test(java.log.slice(seen));
          return hasStarted && (await answers(broker, hasApiVersions));
        });
      }),
    );
  }

  private launch(
    name: string,
    flags: readonly string[],
    mainClass: string,
    config: string,
    cwd: string,
  ): JavaProcess {
    const log = join(this.folder, `${name}.log`);
    appendFileSync(log, '');
    const args = [...flags, ...this.logFlags(), '-cp', this.classpath, mainClass, config];
    return new JavaProcess(args, log, cwd, this.options.lifetime);
  }

  private async awaitReady(
    java: JavaProcess,
    what: string,
    isReady: () => Promise<boolean>,
  ): Promise<void> {
    const complaint = () =>
      `Kafka ${this.version}: ${what} did not start; see ${java.logFile}\n${java.log.slice(-3000)}`;
    await waitUntil(
      () => {
        if (java.hasExited) throw new Error(complaint());
        return isReady();
      },
      START_TIMEOUT_MS,
      complaint,
    );
  }

  private async kill(id: number, signal: NodeJS.Signals): Promise<void> {
    const java = this.processes.get(id);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') java?.kill(signal);
    else await java?.stop(signal);
  }

  private nodeFolder(id: number): string {
    return join(this.folder, `node-${id}`);
  }

  private logFlags(): string[] {
    const { folder } = this;
    return isAtLeast(this.version, '4.0')
      ? [`-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`]
      : [`-Dlog4j.configuration=file:${join(folder, 'log4j.properties')}`];
  }
}

async function nodePorts(count: number, first: number | undefined): Promise<NodePorts[]> {
  if (first !== undefined) {
    return Array.from({ length: count }, (_, i) => ({
      broker: first + 10 * i,
      internal: first + 10 * i + 1,
    }));
  }
  const ports = await freePorts(count * 2);
  return Array.from({ length: count }, (_, i) => ({
    broker: ports[2 * i]!,
    internal: ports[2 * i + 1]!,
  }));
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function requireJava(): void {
  if (spawnSync('java', ['-version']).error !== undefined) {
    throw new Error('Java 17 is needed to run real brokers; `java` is not on the PATH');
  }
}

const LOG4J = `log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
`;

const LOG4J2 = `Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        ref: STDOUT
`;

/** As Kafka's own: what begins with a dash would be taken for an option. */
function randomId(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return bytes.toString('base64url');
}
