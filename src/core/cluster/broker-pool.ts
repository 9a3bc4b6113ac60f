import type { Address } from '../network/index.js';
import { BrokerChannel, type ChannelEnvironment, type Purpose } from './channel.js';
import { Dialer } from './dialer.js';
import type { ClusterMetadata } from './metadata.js';
import type { ClientTraffic } from './metrics.js';
import type { ClusterOptions } from './options.js';
import { fromAfter } from '../util/from-after.js';
import { channelClosed } from './wait.js';

/** Whose connections they are: nobody waits for what another does with his. */
export interface Owner {
  readonly id: number;
  readonly traffic: ClientTraffic;
  /** Aborted when he needs no connections any more. */
  readonly closing: AbortSignal;
}

/**
 * The channels to the brokers of a cluster. Before there is metadata, and when it has led nowhere,
 * the bootstrap servers stand in: they have negative ids.
 */
export class BrokerPool {
  private readonly channels = new Map<string, BrokerChannel>();
  private readonly environment: Omit<ChannelEnvironment, 'traffic'>;
  private turn: number;
  private closeReason: Error | undefined;

  constructor(
    private readonly options: ClusterOptions,
    private readonly metadata: () => ClusterMetadata,
    /** The owner of what all share. */
    private readonly shared: Owner,
    onBroken: () => void,
  ) {
    this.environment = {
      dialer: new Dialer(options),
      addressOf: (nodeId) => this.addressOf(nodeId),
      onBroken,
    };
    this.turn = Math.floor(options.clock.random() * options.bootstrapServers.length);
  }

  /** The channel to a broker for a purpose; connects nothing. */
  channel(nodeId: number, purpose: Purpose, owner = this.shared): BrokerChannel {
    const key = keyOf(nodeId, purpose, owner);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      const environment = { ...this.environment, traffic: owner.traffic.to(nodeId) };
      channel = new BrokerChannel(nodeId, purpose, this.options, environment);
      const { closing } = owner;
      const closeReason = closing.aborted ? (closing.reason as Error) : this.closeReason;
      if (closeReason !== undefined) {
        channel.close(closeReason);
        return channel;
      }
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
      (id) => this.channels.get(keyOf(id, 'control', this.shared))?.isReady === true,
    );
    if (connected !== undefined) return connected;
    const healthy = ids.filter((id) => !this.isFailing(id));
    const among = healthy.length > 0 ? healthy : ids;
    return among[this.turn++ % among.length]!;
  }

  /** Another broker than the one that was asked last, in turn, if there is any that may be reached. */
  after(nodeId: number): number {
    const inTurn = fromAfter(nodeId, this.usableIds());
    return inTurn.find((id) => !this.isFailing(id)) ?? this.any();
  }

  private isFailing(nodeId: number): boolean {
    return this.channels.get(keyOf(nodeId, 'control', this.shared))?.isFailing === true;
  }

  /** Whether no broker could be reached of late, and no connection to one is left. */
  get isCutOff(): boolean {
    const isAnyOpen = [...this.channels.values()].some((channel) => channel.isOpen);
    return !isAnyOpen && this.usableIds().every((id) => this.isFailing(id));
  }

  /** The brokers that may be asked. */
  usableIds(): readonly number[] {
    const known = [...this.metadata().brokers.keys()];
    return known.length > 0 ? known : this.options.bootstrapServers.map((_, i) => -1 - i);
  }

  /** Closes the channels to brokers that have left the cluster, or have another address by now. */
  prune(): void {
    const usable = new Set(this.usableIds());
    this.closeWhere((channel) => !usable.has(channel.nodeId) || channel.isMisplaced);
  }

  /** Closes all channels, to begin anew. */
  reset(): void {
    this.closeWhere(() => true);
  }

  /** Closes all channels for good. */
  close(reason: Error): void {
    this.closeReason = reason;
    this.closeWhere(() => true, reason);
  }

  private closeWhere(isGone: (channel: BrokerChannel) => boolean, reason?: Error): void {
    for (const [key, channel] of this.channels) {
      if (!isGone(channel)) continue;
      this.channels.delete(key);
      channel.close(reason ?? channelClosed(channel.nodeId));
    }
  }

  /** Closes the channels of an owner for good. */
  release(owner: Owner, reason: Error): void {
    for (const [key, channel] of this.channels) {
      if (!key.endsWith(` ${owner.id}`)) continue;
      this.channels.delete(key);
      channel.close(reason);
    }
  }

  private addressOf(nodeId: number): Address | undefined {
    return nodeId < 0
      ? this.options.bootstrapServers[-1 - nodeId]
      : this.metadata().brokers.get(nodeId);
  }
}

function keyOf(nodeId: number, purpose: Purpose, owner: Owner): string {
  return `${nodeId} ${purpose} ${owner.id}`;
}
