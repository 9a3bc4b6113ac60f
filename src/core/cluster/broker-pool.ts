import type { Address } from '../network/index.js';
import { BrokerChannel, type Purpose } from './channel.js';
import { Dialer } from './dialer.js';
import type { ClusterMetadata } from './metadata.js';
import type { ClusterOptions } from './options.js';

/** The owner of what all share. */
export const SHARED = 0;

/**
 * The channels to the brokers of a cluster. Before there is metadata, and when it has led nowhere,
 * the bootstrap servers stand in: they have negative ids.
 */
export class BrokerPool {
  private readonly channels = new Map<string, BrokerChannel>();
  private readonly dialer: Dialer;
  private turn: number;

  constructor(
    private readonly options: ClusterOptions,
    private readonly metadata: () => ClusterMetadata,
  ) {
    this.dialer = new Dialer(options);
    this.turn = Math.floor(options.clock.random() * options.bootstrapServers.length);
  }

  /**
   * The channel to a broker for a purpose; connects nothing.
   *
   * @param owner tells apart those who must not wait for one another.
   */
  channel(nodeId: number, purpose: Purpose, owner = SHARED): BrokerChannel {
    const key = keyOf(nodeId, purpose, owner);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      channel = new BrokerChannel(nodeId, purpose, this.options, this.dialer, this.addressOf);
      this.channels.set(key, channel);
    }
    return channel;
  }

  /**
   * A broker for a request that any can answer: a connected one if there is one, else each in turn.
   */
  any(): number {
    const ids = this.usableIds();
    const connected = ids.find(
      (id) => this.channels.get(keyOf(id, 'control', SHARED))?.isReady === true,
    );
    if (connected !== undefined) return connected;
    const healthy = ids.filter(
      (id) => this.channels.get(keyOf(id, 'control', SHARED))?.isFailing !== true,
    );
    const among = healthy.length > 0 ? healthy : ids;
    return among[this.turn++ % among.length]!;
  }

  /** The brokers that may be asked. */
  usableIds(): readonly number[] {
    const known = [...this.metadata().brokers.keys()];
    return known.length > 0 ? known : this.options.bootstrapServers.map((_, i) => -1 - i);
  }

  /** Closes the channels to brokers that have left the cluster, or have another address by now. */
  prune(isKept: (nodeId: number) => boolean): void {
    for (const [key, channel] of this.channels) {
      if (isKept(channel.nodeId)) continue;
      this.channels.delete(key);
      channel.close();
    }
  }

  /** Closes the channels of an owner. */
  release(owner: number): void {
    for (const [key, channel] of this.channels) {
      if (!key.endsWith(` ${owner}`)) continue;
      this.channels.delete(key);
      channel.close();
    }
  }

  close(): void {
    this.prune(() => false);
  }

  private readonly addressOf = (nodeId: number): Address | undefined =>
    nodeId < 0 ? this.options.bootstrapServers[-1 - nodeId] : this.metadata().brokers.get(nodeId);
}

function keyOf(nodeId: number, purpose: Purpose, owner: number): string {
  return `${nodeId} ${purpose} ${owner}`;
}
