import { Sensor, type Metrics } from '../metrics/index.js';
import type { TrafficObserver } from '../network/index.js';
import type { Clock } from '../util/clock.js';

class Traffic implements TrafficObserver {
  private readonly outgoing: Sensor;
  private readonly incoming: Sensor;
  private readonly requestSize: Sensor;
  private readonly latency: Sensor;
  private readonly requests: Sensor;
  private readonly responses: Sensor;

  constructor(clock: Clock) {
    this.outgoing = new Sensor(clock);
    this.incoming = new Sensor(clock);
    this.requestSize = new Sensor(clock);
    this.latency = new Sensor(clock);
    this.requests = new Sensor(clock);
    this.responses = new Sensor(clock);
  }

  sent(bytes: number): void {
    this.outgoing.record(bytes);
    this.requestSize.record(bytes);
    this.requests.record(1);
  }

  received(bytes: number, latencyMs: number): void {
    this.incoming.record(bytes);
    this.latency.record(latencyMs);
    this.responses.record(1);
  }

  get figures(): Record<string, number> {
    return {
      'network-io-rate': this.requests.rate + this.responses.rate,
      'network-io-total': this.requests.total + this.responses.total,
      'outgoing-byte-rate': this.outgoing.rate,
      'outgoing-byte-total': this.outgoing.total,
      'incoming-byte-rate': this.incoming.rate,
      'incoming-byte-total': this.incoming.total,
      'request-rate': this.requests.rate,
      'request-total': this.requests.total,
      'request-size-avg': this.requestSize.avg,
      'request-size-max': this.requestSize.max,
      'response-rate': this.responses.rate,
      'response-total': this.responses.total,
      'request-latency-avg': this.latency.avg,
      'request-latency-max': this.latency.max,
    };
  }
}

/** Measures the connections of one client, together and by the address of the broker. */
export class ClientTraffic {
  private readonly all: Traffic;
  private readonly brokers = new Map<string, Traffic>();
  private readonly opened: Sensor;
  private readonly closed: Sensor;

  constructor(private readonly clock: Clock) {
    this.all = new Traffic(clock);
    this.opened = new Sensor(clock);
    this.closed = new Sensor(clock);
  }

  /** Who measures a connection to this address. */
  to(address: string): TrafficObserver {
    let broker = this.brokers.get(address);
    if (broker === undefined) this.brokers.set(address, (broker = new Traffic(this.clock)));
    return new Both(this.all, broker);
  }

  connectionOpened(): void {
    this.opened.record(1);
  }

  connectionClosed(): void {
    this.closed.record(1);
  }

  /** The figures by Kafka's names. */
  snapshot(metadataAgeMs: number): Metrics {
    const groups: Record<string, Record<string, number>> = {
      'client-metrics': {
        ...this.all.figures,
        'connection-count': this.opened.total - this.closed.total,
        'connection-creation-rate': this.opened.rate,
        'connection-creation-total': this.opened.total,
        'connection-close-rate': this.closed.rate,
        'connection-close-total': this.closed.total,
        'metadata-age': metadataAgeMs / 1000,
      },
    };
    for (const [address, traffic] of this.brokers) {
      groups[`client-node-metrics.${address}`] = traffic.figures;
    }
    return groups;
  }
}

class Both implements TrafficObserver {
  constructor(
    private readonly first: TrafficObserver,
    private readonly second: TrafficObserver,
  ) {}

  sent(bytes: number): void {
    this.first.sent(bytes);
    this.second.sent(bytes);
  }

  received(bytes: number, latencyMs: number): void {
    this.first.received(bytes, latencyMs);
    this.second.received(bytes, latencyMs);
  }
}
