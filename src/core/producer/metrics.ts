import { flow, PerTopic, Sensor, spread, type Figures, type Metrics } from '../metrics/index.js';
import type { Clock } from '../util/clock.js';
import type { Batch } from './batch.js';

/** Sensors that exist once for the producer and once for each topic. */
interface TopicSensors {
  readonly recordsSent: Sensor;
  readonly bytes: Sensor;
  readonly compression: Sensor;
  readonly retries: Sensor;
  readonly errors: Sensor;
}

/** What is not measured but looked up when metrics are asked for. */
export interface ProducerGauges {
  readonly requestsInFlight: number;
  readonly metadataAgeMs: number;
  readonly bufferedBytes: number;
  readonly bufferMemory: number;
  readonly blockedSends: number;
  /** Those of the connections. */
  readonly connections: Metrics;
}

/** Measures a producer, batch by batch; the names are Kafka's. */
export class ProducerMetrics {
  private readonly topics: PerTopic<TopicSensors>;
  private readonly batchSize: Sensor;
  private readonly queueTime: Sensor;
  private readonly latency: Sensor;
  private readonly throttle: Sensor;
  private readonly recordsPerRequest: Sensor;
  private readonly recordSize: Sensor;
  private readonly batchSplits: Sensor;

  constructor(private readonly clock: Clock) {
    const sensor = () => new Sensor(clock);
    this.topics = new PerTopic(() => ({
      recordsSent: sensor(),
      bytes: sensor(),
      compression: sensor(),
      retries: sensor(),
      errors: sensor(),
    }));
    this.batchSize = sensor();
    this.queueTime = sensor();
    this.latency = sensor();
    this.throttle = sensor();
    this.recordsPerRequest = sensor();
    this.recordSize = sensor();
    this.batchSplits = sensor();
  }

  /** A request leaves with these batches. */
  sent(batches: readonly Batch[]): void {
    const now = this.clock.monotonic();
    let records = 0;
    for (const batch of batches) {
      records += batch.recordCount;
      const bytes = batch.bytes?.length ?? 0;
      this.batchSize.record(bytes);
      this.recordSize.record(batch.largestRecordBytes);
      if (batch.attempts === 1) this.queueTime.record(now - batch.createdAt);
      for (const sensors of this.topics.of(batch.topic)) {
        sensors.recordsSent.record(batch.recordCount);
        sensors.bytes.record(bytes);
        sensors.compression.record(bytes / batch.builder.sizeBytes);
      }
    }
    this.recordsPerRequest.record(records);
  }

  /** A request was answered. */
  answered(latencyMs: number, throttleTimeMs: number): void {
    this.latency.record(latencyMs);
    this.throttle.record(throttleTimeMs);
  }

  retried(topic: string, records: number): void {
    for (const { retries } of this.topics.of(topic)) retries.record(records);
  }

  failed(topic: string, records: number): void {
    for (const { errors } of this.topics.of(topic)) errors.record(records);
  }

  split(): void {
    this.batchSplits.record(1);
  }

  snapshot({ connections, ...gauges }: ProducerGauges): Metrics {
    const { all } = this.topics;
    return {
      ...connections,
      'producer-metrics': {
        ...connections['producer-metrics'],
        ...figuresOf(all),
        'compression-rate-avg': all.compression.avg,
        ...spread('batch-size', this.batchSize),
        ...flow('batch-split', this.batchSplits),
        ...spread('record-queue-time', this.queueTime),
        ...spread('request-latency', this.latency),
        ...spread('produce-throttle-time', this.throttle),
        'records-per-request-avg': this.recordsPerRequest.avg,
        ...spread('record-size', this.recordSize),
        'requests-in-flight': gauges.requestsInFlight,
        'metadata-age': gauges.metadataAgeMs / 1000,
        'buffer-total-bytes': gauges.bufferMemory,
        'buffer-available-bytes': Math.max(0, gauges.bufferMemory - gauges.bufferedBytes),
        'waiting-threads': gauges.blockedSends,
      },
      ...this.topics.snapshot('producer-topic-metrics', (sensors) => ({
        ...figuresOf(sensors),
        'compression-rate': sensors.compression.avg,
      })),
    };
  }
}

function figuresOf({ recordsSent, bytes, retries, errors }: TopicSensors): Figures {
  return {
    ...flow('record-send', recordsSent),
    ...flow('byte', bytes),
    ...flow('record-retry', retries),
    ...flow('record-error', errors),
  };
}
