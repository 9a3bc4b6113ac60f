import { encodeControlBatch, encodeRecords } from '../../../../src/core/records/index.js';
import type { Simulation } from '../../../support/simulation.js';
import { upTo } from '../../../support/watching.js';
import { PRODUCERS, type InTransaction } from './in-transaction.js';

interface Written {
  readonly id: number;
  readonly offset: number;
  /** -1 outside of any transaction. */
  readonly producer: number;
  /** Sequence number of the producer's record; 0 outside of any transaction. */
  readonly sequence: number;
  state: 'open' | 'committed' | 'aborted';
}

interface Marker {
  readonly offset: number;
  readonly records: readonly Written[];
}

interface BatchShape {
  readonly count: number;
  readonly isPacked: boolean;
}

const PADDING = ' '.repeat(200);

/** What is in the log of one partition, record by record: what consumers have to be given of it. */
export class LogModel {
  private records: Written[] = [];
  private markers: Marker[] = [];
  /** Records that could be read as committed at some time, whatever became of them. */
  private readonly shown = new Set<number>();
  /** Records that were aborted before the decision was lost. */
  private readonly hidden = new Set<number>();
  /** Changes whenever something is lost. */
  version = 0;

  constructor(
    private readonly sim: Simulation,
    private readonly topic: string,
    private readonly partition: number,
    private readonly nextId: () => number,
  ) {}

  get end(): number {
    return this.sim.cluster.inspect().topics[this.topic]!.partitions[this.partition]!.logEndOffset;
  }

  /** The first record that is not decided, or the end. */
  get stableEnd(): number {
    const open = this.records.find(({ state }) => state === 'open');
    return open?.offset ?? this.end;
  }

  /** Writes a batch: of a producer's transaction, or of none where that is -1. */
  write({ count, isPacked }: BatchShape, producer = -1): void {
    const ids = Array.from({ length: count }, () => this.nextId());
    const timestamp = Math.floor(this.sim.clock.now());
    const contents = ids.map((id) => ({ value: `${id}${PADDING}`, timestamp }));
    const isTransactional = producer >= 0;
    const baseSequence = isTransactional ? this.nextSequence(producer) : 0;
    const batch = encodeRecords(contents, {
      compressionType: isPacked ? 'gzip' : 'none',
      ...(isTransactional && {
        isTransactional,
        producer: { producerId: producer, producerEpoch: 0, baseSequence },
      }),
    });
    const first = this.sim.cluster.append(this.topic, this.partition, batch);
    for (const [i, id] of ids.entries()) {
      const state = isTransactional ? 'open' : 'committed';
      this.records.push({ id, offset: first + i, producer, sequence: baseSequence + i, state });
      if (!isTransactional) this.shown.add(id);
    }
  }

  /** Ends a producer's transaction, where one is open. */
  endTransaction(producerId: number, kind: 'abort' | 'commit'): void {
    const records = this.records.filter(
      ({ producer, state }) => producer === producerId && state === 'open',
    );
    if (records.length === 0) return;
    const timestamp = Math.floor(this.sim.clock.now());
    const marker = { kind, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp };
    const batch = encodeControlBatch(marker);
    const offset = this.sim.cluster.append(this.topic, this.partition, batch);
    this.markers.push({ offset, records });
    for (const record of records) {
      record.state = kind === 'commit' ? 'committed' : 'aborted';
      if (kind === 'commit') this.shown.add(record.id);
    }
  }

  /** Writes batches of transactions, and ends those that are to end. */
  transact(batches: readonly InTransaction[]): void {
    for (const { producer, count, then } of batches) {
      this.write({ count, isPacked: false }, producer);
      if (then !== 'nothing') this.endTransaction(producer, then);
    }
  }

  /** Ends all that are open, one way or the other. */
  endTransactions(): void {
    for (const producer of upTo(PRODUCERS, 1)) {
      this.endTransaction(producer, producer % 2 === 0 ? 'commit' : 'abort');
    }
  }

  /** A leader that lacks the newest records takes over, and writes batches of its own. */
  lose(newest: number, written: number): void {
    this.truncate(Math.max(0, this.end - newest));
    for (let i = 0; i < written; i++) this.write({ count: 2, isPacked: false });
  }

  /** Another leader takes over that never had what is behind an offset. */
  private truncate(offset: number): void {
    if (offset >= this.end) return;
    this.sim.cluster.truncate(this.topic, this.partition, offset);
    const { end } = this;
    this.records = this.records.filter((record) => record.offset < end);
    for (const { records } of this.markers.filter((marker) => marker.offset >= end)) {
      for (const record of records) {
        // Who has passed over it as aborted won't come back, whatever is decided now.
        if (record.state === 'aborted') this.hidden.add(record.id);
        record.state = 'open';
      }
    }
    this.markers = this.markers.filter((marker) => marker.offset < end);
    this.version++;
  }

  /** The topic is another one. */
  clear(): void {
    this.records = [];
    this.markers = [];
    this.version++;
  }

  /** Whether a record may be delivered to those who read committed ones only. */
  mayBeShown(id: number): boolean {
    return this.shown.has(id);
  }

  /** The records between two offsets, the second one excluded, that consumers have to be given. */
  between(from: number, to: number, isCommittedOnly: boolean): { id: number; offset: number }[] {
    return this.records.filter(
      (record) =>
        record.offset >= from &&
        record.offset < to &&
        (!isCommittedOnly || this.mustBeShown(record)),
    );
  }

  private mustBeShown({ id, state }: Written): boolean {
    return state === 'committed' && !this.hidden.has(id);
  }

  private nextSequence(producerId: number): number {
    const last = this.records.findLast(({ producer }) => producer === producerId);
    return last === undefined ? 0 : last.sequence + 1;
  }
}
