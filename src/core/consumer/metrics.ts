import { GroupMetrics } from '../group/index.js';
import {
  flow,
  occurrences,
  PerTopic,
  Sensor,
  spread,
  type Figures,
  type Metrics,
} from '../metrics/index.js';
import type { Clock } from '../util/clock.js';

interface TopicSensors {
  readonly bytes: Sensor;
  readonly records: Sensor;
  readonly recordsPerRequest: Sensor;
  /** Records that were delivered since a fetch was answered. */
  sinceFetch: number;
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
  /** Those of the connections. */
  readonly connections: Metrics;
}

const FETCHING = 'consumer-fetch-manager-metrics';

/** Measures a consumer; the names are Kafka's. */
export class ConsumerMetrics {
  readonly group: GroupMetrics;
  private readonly topics: PerTopic<TopicSensors>;
  /** Those that have had records since a fetch was answered. */
  private readonly delivering = new Set<TopicSensors>();
  private readonly fetches: Sensor;
  private readonly throttle: Sensor;
  private readonly commits: Sensor;
  private readonly failedCommits: Sensor;

  constructor(clock: Clock) {
    const sensor = () => new Sensor(clock);
    this.group = new GroupMetrics(clock);
    this.topics = new PerTopic(() => ({
      bytes: sensor(),
      records: sensor(),
      recordsPerRequest: sensor(),
      sinceFetch: 0,
    }));
    this.fetches = sensor();
    this.throttle = sensor();
    this.commits = sensor();
    this.failedCommits = sensor();
  }

  /** A fetch was answered. */
  fetched(latencyMs: number, throttleTimeMs: number): void {
    this.fetches.record(latencyMs);
    this.throttle.record(throttleTimeMs);
    for (const sensors of this.delivering) {
      sensors.recordsPerRequest.record(sensors.sinceFetch);
      sensors.sinceFetch = 0;
    }
    this.delivering.clear();
  }

  /** What a fetch has brought of each topic. Returns the sum. */
  received(bytesByTopic: ReadonlyMap<string, number>): number {
    let all = 0;
    for (const [topic, bytes] of bytesByTopic) {
      const [, sensors] = this.topics.of(topic);
      sensors.bytes.record(bytes);
      all += bytes;
    }
    if (all > 0) this.topics.all.bytes.record(all);
    return all;
  }

  delivered(topic: string, records: number): void {
    if (records === 0) return;
    for (const sensors of this.topics.of(topic)) {
      sensors.records.record(records);
      sensors.sinceFetch += records;
      this.delivering.add(sensors);
    }
  }

  committed(latencyMs: number): void {
    this.commits.record(latencyMs);
  }

  commitFailed(): void {
    this.failedCommits.record(1);
  }

  snapshot(gauges: ConsumerGauges): Metrics {
    const { partitions } = gauges;
    return {
      ...gauges.connections,
      [FETCHING]: this.fetchFigures(gauges),
      'consumer-coordinator-metrics': {
        ...this.group.figures,
        ...spread('commit-latency', this.commits),
        ...occurrences('commit', this.commits),
        'failed-commit-total': this.failedCommits.total,
        'assigned-partitions': partitions.length,
      },
      ...this.topics.snapshot(FETCHING, figuresOf),
      ...Object.fromEntries(
        partitions.map(({ topic, partition, lag, unacked }) => [
          `${FETCHING}.${topic}-${partition}`,
          { 'records-lag': lag < 0 ? NaN : lag, 'records-unacked': unacked },
        ]),
      ),
    };
  }

  private fetchFigures({ partitions, bufferedBytes, peakBufferedBytes }: ConsumerGauges): Figures {
    const lags = partitions.map(({ lag }) => lag).filter((lag) => lag >= 0);
    return {
      ...figuresOf(this.topics.all),
      ...occurrences('fetch', this.fetches),
      ...spread('fetch-latency', this.fetches),
      ...spread('fetch-throttle-time', this.throttle),
      'records-lag-max': lags.length === 0 ? NaN : Math.max(...lags),
      'buffered-bytes': bufferedBytes,
      'buffered-bytes-max': peakBufferedBytes,
    };
  }
}

function figuresOf({ bytes, records, recordsPerRequest }: TopicSensors): Figures {
  return {
    ...flow('bytes-consumed', bytes),
    ...flow('records-consumed', records),
    ...spread('fetch-size', bytes),
    'records-per-request-avg': recordsPerRequest.avg,
  };
}
