import { flow, occurrences, Sensor, spread, type Figures, type Metrics } from '../metrics/index.js';
import type { TrafficObserver } from '../network/index.js';
import type { Clock } from '../util/clock.js';

/** Who measures what is exchanged with one broker. */
export interface NodeTraffic extends TrafficObserver {
  connectionOpened(): void;
  connectionClosed(): void;
  /** A response said how long the client is to hold still; mostly 0. */
  answered(throttleTimeMs: number): void;
}

class Traffic implements NodeTraffic {
  private readonly requests: Sensor;
  private readonly responses: Sensor;
  private readonly latency: Sensor;
  private readonly throttle: Sensor;
  private readonly opened: Sensor;
  private readonly closed: Sensor;

  constructor(clock: Clock) {
    this.requests = new Sensor(clock);
    this.responses = new Sensor(clock);
    this.latency = new Sensor(clock);
    this.throttle = new Sensor(clock);
    this.opened = new Sensor(clock);
    this.closed = new Sensor(clock);
  }

  sent(bytes: number): void {
    this.requests.record(bytes);
  }

  received(bytes: number, latencyMs: number): void {
    this.responses.record(bytes);
    this.latency.record(latencyMs);
  }

  answered(throttleTimeMs: number): void {
    this.throttle.record(throttleTimeMs);
  }

  connectionOpened(): void {
    this.opened.record(1);
  }

  connectionClosed(): void {
    this.closed.record(1);
  }

  get figures(): Figures {
    const { requests, responses } = this;
    return {
      'network-io-rate': requests.frequency + responses.frequency,
      'network-io-total': requests.count + responses.count,
      ...flow('outgoing-byte', requests),
      ...flow('incoming-byte', responses),
      ...occurrences('request', requests),
      ...spread('request-size', requests),
      ...occurrences('response', responses),
      ...spread('request-latency', this.latency),
      ...spread('throttle-time', this.throttle),
      'connection-count': this.opened.total - this.closed.total,
      ...flow('connection-creation', this.opened),
      ...flow('connection-close', this.closed),
    };
  }
}

/** Measures the connections of one owner, together and by broker. */
export class ClientTraffic {
  private readonly all: Traffic;
  private readonly nodes = new Map<number, Traffic>();

  /** @param whole what this is a part of, and measures the same as well. */
  constructor(
    private readonly clock: Clock,
    private readonly whole?: ClientTraffic,
  ) {
    this.all = new Traffic(clock);
  }

  /** Who measures a connection to a broker; those of the bootstrap servers have negative ids. */
  to(nodeId: number): NodeTraffic {
    return new Several(this.observersOf(nodeId));
  }

  /** The figures by Kafka's names, in groups of this prefix. */
  snapshot(prefix: string): Metrics {
    const groups: Record<string, Figures> = { [`${prefix}-metrics`]: this.all.figures };
    for (const [nodeId, traffic] of this.nodes) {
      groups[`${prefix}-node-metrics.${nameOf(nodeId)}`] = traffic.figures;
    }
    return groups;
  }

  private observersOf(nodeId: number): readonly Traffic[] {
    let node = this.nodes.get(nodeId);
    if (node === undefined) this.nodes.set(nodeId, (node = new Traffic(this.clock)));
    return [this.all, node, ...(this.whole?.observersOf(nodeId) ?? [])];
  }
}

function nameOf(nodeId: number): string {
  return nodeId < 0 ? `node-bootstrap-${-1 - nodeId}` : `node-${nodeId}`;
}

class Several implements NodeTraffic {
  constructor(private readonly observers: readonly NodeTraffic[]) {}

  sent(bytes: number): void {
    for (const observer of this.observers) observer.sent(bytes);
  }

  received(bytes: number, latencyMs: number): void {
    for (const observer of this.observers) observer.received(bytes, latencyMs);
  }

  answered(throttleTimeMs: number): void {
    for (const observer of this.observers) observer.answered(throttleTimeMs);
  }

  connectionOpened(): void {
    for (const observer of this.observers) observer.connectionOpened();
  }

  connectionClosed(): void {
    for (const observer of this.observers) observer.connectionClosed();
  }
}
