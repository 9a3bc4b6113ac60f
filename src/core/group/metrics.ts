import { occurrences, Sensor, spread, type Figures } from '../metrics/index.js';
import { brokerError } from '../protocol/index.js';
import type { Clock } from '../util/clock.js';
import type { Answer, GroupRequest } from './machine.js';

/** Measures what a member does in its group; the names are Kafka's. */
export class GroupMetrics {
  private readonly heartbeats: Sensor;
  private readonly joins: Sensor;
  private readonly syncs: Sensor;
  private readonly rebalances: Sensor;
  private lastHeartbeatAt = NaN;

  constructor(private readonly clock: Clock) {
    this.heartbeats = new Sensor(clock);
    this.joins = new Sensor(clock);
    this.syncs = new Sensor(clock);
    this.rebalances = new Sensor(clock);
  }

  /** A request leaves; returns whom to give the answer to. */
  sent({ type }: GroupRequest): (answer: Answer) => void {
    const sentAt = this.clock.monotonic();
    if (type === 'heartbeat' || type === 'consumer-heartbeat') this.lastHeartbeatAt = sentAt;
    return (answer) => this.answered(answer, this.clock.monotonic() - sentAt);
  }

  /** The member has its place in the group again, after as long as this. */
  rebalanced(latencyMs: number): void {
    this.rebalances.record(latencyMs);
  }

  get figures(): Figures {
    const { heartbeats, clock } = this;
    return {
      ...occurrences('heartbeat', heartbeats),
      'heartbeat-response-time-max': heartbeats.max,
      'last-heartbeat-seconds-ago': (clock.monotonic() - this.lastHeartbeatAt) / 1000,
      ...occurrences('join', this.joins),
      ...spread('join-time', this.joins),
      ...occurrences('sync', this.syncs),
      ...spread('sync-time', this.syncs),
      ...occurrences('rebalance', this.rebalances),
      ...spread('rebalance-latency', this.rebalances),
    };
  }

  private answered({ type, body }: Answer, latencyMs: number): void {
    if (type === 'heartbeat' || type === 'consumer-heartbeat') this.heartbeats.record(latencyMs);
    // A join that was refused, as the first of a member without an id, is part of the next one's.
    if (brokerError(body.errorCode).code !== 0) return;
    if (type === 'join') this.joins.record(latencyMs);
    if (type === 'sync') this.syncs.record(latencyMs);
  }
}
