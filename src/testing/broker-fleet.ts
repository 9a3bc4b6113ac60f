import type { Duplex } from 'node:stream';
import type { Broker } from './broker.js';
import { noSuch } from './control/lookup.js';
import { MemoryNetwork, type MemoryLink, type MemoryLinkEvents } from './network/memory-network.js';
import { TcpListener } from './network/tcp-listener.js';
import type { BrokerNode, Cluster } from './state/cluster.js';

/** Connections to the brokers that need no socket: give it to a client as its transport. */
export interface EmbeddedTransport {
  /** What rx-kafka's own `transport` option asks for. */
  open(
    address: { readonly host: string; readonly port: number },
    events: MemoryLinkEvents,
    options?: object,
  ): MemoryLink;
  /** The same as a Node stream; it emits `connect`, or `error` when nobody listens there. */
  connect(address: { readonly host: string; readonly port: number }): Duplex;
}

/** Starts and stops the brokers, in their turn, and lets clients in. */
export class BrokerFleet {
  readonly transport: EmbeddedTransport;
  private readonly memory = new MemoryNetwork();
  private readonly closers = new Map<number, () => Promise<void>>();
  private readonly turns = new Map<number, Promise<void>>();

  constructor(
    private readonly cluster: Cluster,
    private readonly brokers: readonly Broker[],
    private readonly listen: 'tcp' | 'memory',
  ) {
    const { memory } = this;
    this.transport = {
      open: (address, events) => memory.open(address, events),
      connect: (address) => memory.connect(address),
    };
  }

  async startAll(): Promise<void> {
    for (const { node } of this.brokers) await this.start(node.id);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.brokers.map(({ node }) => this.stop(node.id)));
  }

  async start(id: number): Promise<void> {
    const broker = this.broker(id);
    await this.inTurn(id, () => this.launch(broker));
  }

  async stop(id: number): Promise<void> {
    const { node } = this.broker(id);
    await this.inTurn(id, () => this.halt(node));
  }

  private async halt(node: BrokerNode): Promise<void> {
    if (!node.isRunning) return;
    const broker = node.id;
    node.isRunning = false;
    this.cluster.brokerStopped(broker);
    const close = this.closers.get(broker)!;
    this.closers.delete(broker);
    await close();
  }

  private async launch(stopped: Broker): Promise<void> {
    const { node } = stopped;
    if (node.isRunning) return;
    const accept = stopped.accept.bind(stopped);
    const tcp =
      this.listen === 'tcp' ? await TcpListener.listen(node.host, node.port, accept) : undefined;
    if (tcp !== undefined) node.port = tcp.port;
    const endMemory = this.memory.listen(node.host, node.port, accept);
    this.closers.set(node.id, async () => {
      endMemory();
      await tcp?.close();
    });
    node.isRunning = true;
    this.cluster.brokerStarted(node.id);
  }

  /** Starts and stops of one broker, one after the other, however they are called. */
  private inTurn(broker: number, task: () => Promise<void>): Promise<void> {
    const before = this.turns.get(broker);
    const turn = before === undefined ? task() : before.then(task);
    // Whoever called is told of a failure; the next one has its turn all the same.
    const settled = turn.catch(() => undefined);
    this.turns.set(broker, settled);
    void settled.then(() => {
      if (this.turns.get(broker) === settled) this.turns.delete(broker);
    });
    return turn;
  }

  private broker(id: number): Broker {
    const broker = this.brokers.find(({ node }) => node.id === id);
    if (broker === undefined) throw noSuch(`broker ${id}`);
    return broker;
  }
}
