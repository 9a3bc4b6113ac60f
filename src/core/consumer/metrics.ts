import { Sensor, type Metrics } from '../metrics/index.js';
import type { Clock } from '../util/clock.js';

interface TopicSensors {
  readonly bytes: Sensor;
  readonly records: Sensor;
  readonly fetchSize: Sensor;
}

/** What is not measured but looked up when metrics are asked for. */
export interface ConsumerGauges {
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly lag: number;
    readonly unacked: number;
  }[];
  readonly bufferedBytes: number;
  readonly peakBufferedBytes: number;
}

/** Measures a consumer; the names are Kafka's. */
export class ConsumerMetrics {
  private readonly all: TopicSensors;
  private readonly topics = new Map<string, TopicSensors>();
  private readonly fetchLatency: Sensor;
  private readonly fetches: Sensor;
  private readonly throttle: Sensor;
  private readonly recordsPerRequest: Sensor;
  private readonly commitLatency: Sensor;
  private readonly commits: Sensor;
  private readonly failedCommits: Sensor;
  private readonly rebalances: Sensor;
  private readonly rebalanceLatency: Sensor;
  private sinceFetch = 0;

  constructor(private readonly clock: Clock) {
    this.all = this.topicSensors();
    this.fetchLatency = new Sensor(clock);
    this.fetches = new Sensor(clock);
    this.throttle = new Sensor(clock);
    this.recordsPerRequest = new Sensor(clock);
    this.commitLatency = new Sensor(clock);
    this.commits = new Sensor(clock);
    this.failedCommits = new Sensor(clock);
    this.rebalances = new Sensor(clock);
    this.rebalanceLatency = new Sensor(clock);
  }

  /** A fetch was answered. */
  fetched(latencyMs: number, throttleTimeMs: number): void {
    this.fetchLatency.record(latencyMs);
    this.fetches.record(1);
    this.throttle.record(throttleTimeMs);
    this.recordsPerRequest.record(this.sinceFetch);
    this.sinceFetch = 0;
  }

  /** A fetch brought bytes of a topic. */
  received(topic: string, bytes: number): void {
    for (const sensors of [this.all, this.of(topic)]) {
      sensors.bytes.record(bytes);
      sensors.fetchSize.record(bytes);
    }
  }

  delivered(topic: string, records: number): void {
    if (records === 0) return;
    this.sinceFetch += records;
    this.all.records.record(records);
    this.of(topic).records.record(records);
  }

  committed(latencyMs: number): void {
    this.commits.record(1);
    this.commitLatency.record(latencyMs);
  }

  commitFailed(): void {
    this.failedCommits.record(1);
  }

  rebalanced(latencyMs: number): void {
    this.rebalances.record(1);
    this.rebalanceLatency.record(latencyMs);
  }

  snapshot({ partitions, bufferedBytes, peakBufferedBytes }: ConsumerGauges): Metrics {
    const lags = partitions.map(({ lag }) => lag).filter((lag) => lag >= 0);
    const groups: Record<string, Record<string, number>> = {
      'consumer-fetch-manager-metrics': {
        ...figuresOf(this.all),
        'fetch-latency-avg': this.fetchLatency.avg,
        'fetch-latency-max': this.fetchLatency.max,
        'fetch-rate': this.fetches.rate,
        'fetch-total': this.fetches.total,
        'fetch-throttle-time-avg': this.throttle.avg,
        'fetch-throttle-time-max': this.throttle.max,
        'records-per-request-avg': this.recordsPerRequest.avg,
        'records-lag-max': lags.length === 0 ? NaN : Math.max(...lags),
        'buffered-bytes': bufferedBytes,
        'buffered-bytes-max': peakBufferedBytes,
      },
      'consumer-coordinator-metrics': {
        'commit-latency-avg': this.commitLatency.avg,
        'commit-latency-max': this.commitLatency.max,
        'commit-rate': this.commits.rate,
        'commit-total': this.commits.total,
        'failed-commit-total': this.failedCommits.total,
        'assigned-partitions': partitions.length,
        'rebalance-total': this.rebalances.total,
        'rebalance-latency-avg': this.rebalanceLatency.avg,
        'rebalance-latency-max': this.rebalanceLatency.max,
      },
    };
    for (const [topic, sensors] of this.topics) {
      groups[`consumer-fetch-manager-metrics.${topic}`] = figuresOf(sensors);
    }
    for (const { topic, partition, lag, unacked } of partitions) {
      groups[`consumer-fetch-manager-metrics.${topic}-${partition}`] = {
        'records-lag': lag < 0 ? NaN : lag,
        'records-unacked': unacked,
      };
    }
    return groups;
  }

  private of(topic: string): TopicSensors {
    let sensors = this.topics.get(topic);
    if (sensors === undefined) this.topics.set(topic, (sensors = this.topicSensors()));
    return sensors;
  }

  private topicSensors(): TopicSensors {
    const sensor = () => new Sensor(this.clock);
    return { bytes: sensor(), records: sensor(), fetchSize: sensor() };
  }
}

function figuresOf({ bytes, records, fetchSize }: TopicSensors): Record<string, number> {
  return {
    'bytes-consumed-rate': bytes.rate,
    'bytes-consumed-total': bytes.total,
    'records-consumed-rate': records.rate,
    'records-consumed-total': records.total,
    'fetch-size-avg': fetchSize.avg,
    'fetch-size-max': fetchSize.max,
  };
}
