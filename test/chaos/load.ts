import { interval, map, mergeMap, range, takeUntil, Subject } from 'rxjs';
import { toTopic, type KafkaError, type Producer, type Receipt } from '../../src/index.js';
import { nameOf, type AckedRecord, type SentRecord } from './verify.js';

const TICK_MS = 10;
const RECORDS_A_TICK = 15;
const KEYS = 10;
/** Records of a lane of `send()` that are on the way together. */
const BURST = 5;

/**
 * A steady load on one topic that keeps book: a stream of keyed records and one of records with a
 * partition through `toTopic`, and a lane of `send()` calls for each partition.
 */
export class Load {
  readonly sent = new Map<string, number>();
  readonly acked: AckedRecord[] = [];
  readonly failures: { readonly record: SentRecord; readonly error: KafkaError }[] = [];
  /** When each partition last acknowledged something, in records acknowledged before. */
  private readonly lastAck = new Map<number, number>();
  private readonly stopped = new Subject<void>();
  private isStopped = false;
  private readonly done: Promise<unknown>;

  constructor(
    private readonly producer: Producer,
    private readonly topic: string,
    private readonly partitions: number,
  ) {
    const lanes = Array.from({ length: partitions }, (_, partition) =>
      this.sendInBursts(partition),
    );
    this.done = Promise.all([this.streamKeyed(), this.streamPartitioned(), ...lanes]);
  }

  /** The partitions that have acknowledged nothing since so many records were acknowledged. */
  silentSince(ackedBefore: number): number[] {
    const all = Array.from({ length: this.partitions }, (_, partition) => partition);
    return all.filter((partition) => (this.lastAck.get(partition) ?? -1) < ackedBefore);
  }

  /** Sends no more, and waits for the outcome of everything that was sent. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.stopped.next();
    await this.done;
  }

  private streamKeyed(): Promise<void> {
    return this.stream((i) => {
      const key = `key ${i % KEYS}`;
      return { record: this.next(`stream ${key}`), key };
    });
  }

  private streamPartitioned(): Promise<void> {
    return this.stream((i) => {
      const partition = i % this.partitions;
      return { record: this.next(`stream ${partition}`), partition };
    });
  }

  private stream(
    make: (i: number) => { record: SentRecord; key?: string; partition?: number },
  ): Promise<void> {
    const { producer, topic } = this;
    const items = interval(TICK_MS).pipe(
      takeUntil(this.stopped),
      mergeMap((tick) => range(tick * RECORDS_A_TICK, RECORDS_A_TICK)),
      map(make),
    );
    const sink = toTopic(producer, topic, {
      toRecord: ({ record, ...place }: ReturnType<typeof make>) => ({
        ...place,
        value: nameOf(record),
      }),
      onError: 'emit',
    });
    return new Promise((resolve, reject) => {
      items.pipe(sink).subscribe({
        next: (outcome) => {
          if ('error' in outcome) this.failed(outcome.origin.record, outcome.error);
          else this.acknowledged(outcome.origin.record, outcome);
        },
        error: reject,
        complete: resolve,
      });
    });
  }

  private async sendInBursts(partition: number): Promise<void> {
    const { producer, topic } = this;
    while (!this.isStopped) {
      const burst = Array.from({ length: BURST }, () => this.next(`send ${partition}`));
      await Promise.all(
        burst.map((record) =>
          producer.send({ topic, partition, value: nameOf(record) }).then(
            (receipt) => this.acknowledged(record, receipt),
            (error: unknown) => this.failed(record, error as KafkaError),
          ),
        ),
      );
    }
  }

  private next(lane: string): SentRecord {
    const n = this.sent.get(lane) ?? 0;
    this.sent.set(lane, n + 1);
    return { lane, n };
  }

  private acknowledged(record: SentRecord, { partition, offset }: Receipt<unknown>): void {
    this.lastAck.set(partition, this.acked.length);
    this.acked.push({ ...record, partition, offset });
  }

  private failed(record: SentRecord, error: KafkaError): void {
    this.failures.push({ record, error });
  }
}
