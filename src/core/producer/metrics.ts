import { Sensor, type Metrics } from '../metrics/index.js';
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
}

/** Measures a producer, batch by batch; the names are Kafka's. */
export class ProducerMetrics {
  private readonly all: TopicSensors;
  private readonly topics = new Map<string, TopicSensors>();
  private readonly batchSize: Sensor;
  private readonly queueTime: Sensor;
  private readonly latency: Sensor;
  private readonly throttle: Sensor;
  private readonly recordsPerRequest: Sensor;
  private readonly recordSize: Sensor;
  private readonly batchSplits: Sensor;

  constructor(private readonly clock: Clock) {
    this.all = this.topicSensors();
    this.batchSize = new Sensor(clock);
    this.queueTime = new Sensor(clock);
    this.latency = new Sensor(clock);
    this.throttle = new Sensor(clock);
    this.recordsPerRequest = new Sensor(clock);
    this.recordSize = new Sensor(clock);
    this.batchSplits = new Sensor(clock);
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
      for (const sensors of [this.all, this.of(batch.topic)]) {
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
    this.all.retries.record(records);
    this.of(topic).retries.record(records);
  }

  failed(topic: string, records: number): void {
    this.all.errors.record(records);
    this.of(topic).errors.record(records);
  }

  split(): void {
    this.batchSplits.record(1);
  }

  snapshot(gauges: ProducerGauges): Metrics {
    const groups: Record<string, Record<string, number>> = {
      'producer-metrics': {
        ...figuresOf(this.all),
        'batch-size-avg': this.batchSize.avg,
        'batch-size-max': this.batchSize.max,
        'batch-split-rate': this.batchSplits.rate,
        'record-queue-time-avg': this.queueTime.avg,
        'record-queue-time-max': this.queueTime.max,
        'request-latency-avg': this.latency.avg,
        'request-latency-max': this.latency.max,
        'produce-throttle-time-avg': this.throttle.avg,
        'produce-throttle-time-max': this.throttle.max,
        'records-per-request-avg': this.recordsPerRequest.avg,
        'record-size-avg': this.all.bytes.total / this.all.recordsSent.total,
        'record-size-max': this.recordSize.max,
        'requests-in-flight': gauges.requestsInFlight,
        'metadata-age': gauges.metadataAgeMs / 1000,
        'buffer-total-bytes': gauges.bufferMemory,
        'buffer-available-bytes': Math.max(0, gauges.bufferMemory - gauges.bufferedBytes),
        'waiting-threads': gauges.blockedSends,
      },
    };
    for (const [topic, sensors] of this.topics) {
      groups[`producer-topic-metrics.${topic}`] = figuresOf(sensors);
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
    return {
      recordsSent: sensor(),
      bytes: sensor(),
      compression: sensor(),
      retries: sensor(),
      errors: sensor(),
    };
  }
}

function figuresOf({
  recordsSent,
  bytes,
  compression,
  retries,
  errors,
}: TopicSensors): Record<string, number> {
  return {
    'record-send-rate': recordsSent.rate,
    'record-send-total': recordsSent.total,
    'byte-rate': bytes.rate,
    'byte-total': bytes.total,
    'compression-rate-avg': compression.avg,
    'record-retry-rate': retries.rate,
    'record-retry-total': retries.total,
    'record-error-rate': errors.rate,
    'record-error-total': errors.total,
  };
}
