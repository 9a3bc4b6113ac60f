import { Subject, type Observable, type Subscriber } from 'rxjs';
import type { ConsumerRecord, TopicPartition } from '../../core/consumer/index.js';
import { Queue } from '../../core/util/queue.js';
import { LeftBehind } from '../passing/left-behind.js';
import { passOn } from '../passing/pass-on.js';
import { Pipelines } from '../passing/pipelines.js';

/** Makes the pipeline of a partition. */
export type OpenPipeline<K, V, R> = (
  records: Subject<ConsumerRecord<K, V>>,
  partition: TopicPartition,
) => Observable<R>;

/** The records of a partition, from its first record until it is given up. */
class Stream<K, V> implements TopicPartition {
  readonly records = new Subject<ConsumerRecord<K, V>>();
  readonly waiting = new Queue<ConsumerRecord<K, V>>();
  state: 'waiting' | 'active' | 'ended' = 'waiting';
  /** Nothing more comes. */
  isComplete = false;

  constructor(
    readonly topic: string,
    readonly partition: number,
    /** Tells whether it is gone. */
    public latest: ConsumerRecord<K, V>,
  ) {}

  get isGone(): boolean {
    return this.latest.isLeaving;
  }

  complete(): void {
    this.isComplete = true;
    if (this.state === 'active' && this.waiting.length === 0) this.records.complete();
  }
}

/** Streams of partitions and their pipelines, during one subscription. */
export class Partitioning<K, V, R> {
  /** By who owns the partition: another one with each assignment. */
  private readonly streams = new Map<object, Stream<K, V>>();
  /** Of partitions whose pipeline has had enough: whoever gets them next begins there. */
  private readonly left = new LeftBehind<ConsumerRecord<K, V>>();
  private readonly pipelines: Pipelines;
  private active = 0;
  private isUpstreamDone = false;

  constructor(
    private readonly open: OpenPipeline<K, V, R>,
    private readonly concurrency: number,
    private readonly subscriber: Subscriber<R>,
  ) {
    const closeGone = () => this.closeGone();
    this.pipelines = new Pipelines({ onDraining: closeGone, onLost: closeGone });
  }

  next(record: ConsumerRecord<K, V>): void {
    if (record.isLeaving) {
      // That was told before it came here: its pipeline has been completed.
      record.giveBack();
      return;
    }
    this.pipelines.note(record.pipeline);
    const stream = this.streams.get(record.owner) ?? this.add(record);
    stream.latest = record;
    switch (stream.state) {
      case 'active':
        if (stream.records.observed) stream.records.next(record);
        else this.left.take(record);
        break;
      case 'waiting':
        record.takeOver();
        stream.waiting.push(record);
        this.startAll();
        break;
      case 'ended':
        this.left.take(record);
    }
  }

  complete(): void {
    this.isUpstreamDone = true;
    for (const stream of this.streams.values()) stream.complete();
    this.checkEnd();
  }

  /** What waits goes back. */
  stop(): void {
    this.pipelines.stop();
    for (const { waiting } of this.streams.values()) giveBack(waiting);
    this.streams.clear();
    this.left.stop();
  }

  private add(record: ConsumerRecord<K, V>): Stream<K, V> {
    const stream = new Stream(record.topic, record.partition, record);
    this.streams.set(record.owner, stream);
    return stream;
  }

  /** Completes the records of partitions that are being given up, or gone. */
  private closeGone(): void {
    for (const [owner, stream] of this.streams) {
      if (!stream.isGone) continue;
      giveBack(stream.waiting);
      if (stream.state !== 'active') this.streams.delete(owner);
      stream.complete();
    }
    this.checkEnd();
  }

  private startAll(): void {
    for (const [owner, stream] of this.streams) {
      if (this.active >= this.concurrency) return;
      if (stream.state === 'waiting' && !this.hasPredecessor(stream)) this.start(owner, stream);
    }
  }

  /** Whether the partition was assigned before, and the pipeline of then still goes on. */
  private hasPredecessor(stream: Stream<K, V>): boolean {
    for (const other of this.streams.values()) {
      if (other === stream) return false;
      const isSame = other.partition === stream.partition && other.topic === stream.topic;
      if (isSame && other.state === 'active') return true;
    }
    return false;
  }

  private start(owner: object, stream: Stream<K, V>): void {
    stream.state = 'active';
    this.active++;
    const { topic, partition, records, waiting } = stream;
    try {
      const inner = this.open(records, { topic, partition }).subscribe({
        next: (value) => this.subscriber.next(value),
        error: (error) => this.subscriber.error(error),
        complete: () => this.ended(owner, stream),
      });
      this.subscriber.add(inner);
    } catch (error) {
      this.subscriber.error(error);
      return;
    }
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (records.observed) passOn(next, records);
      else this.left.take(next);
    }
    if (stream.isComplete) records.complete();
  }

  private ended(owner: object, stream: Stream<K, V>): void {
    stream.state = 'ended';
    this.active--;
    if (stream.isComplete) this.streams.delete(owner);
    this.startAll();
    this.checkEnd();
  }

  private checkEnd(): void {
    if (!this.isUpstreamDone || this.active > 0) return;
    for (const { state } of this.streams.values()) if (state === 'waiting') return;
    this.subscriber.complete();
  }
}

function giveBack<K, V>(waiting: Queue<ConsumerRecord<K, V>>): void {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next.giveBack();
}
