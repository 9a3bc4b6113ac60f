import type { Ledger } from '../../../src/core/consumer/ledger.js';
import type { ConsumerRecord } from '../../../src/index.js';
import type { WrittenRecord } from '../../../src/testing/index.js';
import { isDealtWith, type Known, type Pipeline, type Stage, type Terminal } from './pipeline.js';

/** No scenario has work that fails so often. */
const MOST_DELIVERIES = 2000;

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** What tells which records were written. */
interface Written {
  readonly written: readonly WrittenRecord[];
}

/** What is known of one epoch of a partition. */
interface Epoch {
  readonly id: number;
  readonly partition: number;
  readonly start: number;
  /** What has to be done with its records. */
  readonly pipeline: Pipeline;
  /** What work on each record is called, by offset. */
  readonly names: Map<number, string>;
  /** How often each record was delivered, by offset. */
  readonly attempts: Map<number, number>;
  readonly acked: Set<number>;
}

/** A record that has passed a stage. */
interface Passed {
  readonly delivery: string;
  readonly name: string;
}

/**
 * What really happened, noted beside the operators: which work was done, and what was acked. Holds
 * each ack to what it may do, and each position to what a plain list of acks says.
 */
export class Truth {
  readonly complaints: string[] = [];
  private deliveries = 0;
  private readonly epochs = new Map<Ledger, Epoch>();
  private readonly work = new Set<string>();
  /** What has taken the place of work. */
  private readonly successors = new Map<string, string>();
  /** What was let through as the first of its id, by the stage and the id. */
  private readonly firsts = new Map<Stage, Map<string, Passed[]>>();
  private readonly written: {
    readonly sink: Written;
    /** How many it had written by then. */
    readonly from: number;
    readonly mark: unknown;
    readonly name: string;
    readonly topics: readonly string[];
  }[] = [];

  constructor(private readonly pipeline: Pipeline) {}

  /** To be told of each delivery, before the pipeline is. */
  delivered(record: AnyRecord): void {
    this.begun(record, `${record.partition}:${record.offset}`, this.pipeline);
  }

  /** To be told of each record of a retry topic before work on it begins, and what that is part of. */
  deliveredAgain(record: AnyRecord, terminal: Terminal, earlyMs: number): void {
    const epoch = this.begun(record, String(record.value), { stages: [], terminal });
    if (earlyMs > 0) this.complain(epoch, record.offset, 'was tried before it was due');
  }

  private begun(record: AnyRecord, name: string, pipeline: Pipeline): Epoch {
    const { ledger } = record.source;
    const epoch = this.epochs.get(ledger) ?? this.newEpoch(record, pipeline);
    epoch.names.set(record.offset, name);
    if (epoch.acked.has(record.offset))
      this.complain(epoch, record.offset, 'came again after its ack');
    epoch.attempts.set(record.offset, record.attempt);
    if (++this.deliveries > MOST_DELIVERIES) throw new Error('records come again for ever');
    return epoch;
  }

  /** Work of that name was done for a record, or one that stands for it. */
  done(record: AnyRecord, name: string): void {
    this.work.add(this.nameOf(record, name));
  }

  /** The work on another record takes the place of that on one. */
  superseded(record: AnyRecord, by: AnyRecord): void {
    const [name, successor] = [record, by].map((each) => this.nameOf(each, String(each.value)));
    this.successors.set(name!, successor!);
  }

  /** A record was let through as the first of its id. */
  passed(stage: Stage, record: AnyRecord): void {
    const id = record.rawKey?.toString();
    if (id === undefined) return;
    const byId = this.firsts.get(stage) ?? new Map<string, Passed[]>();
    const passed = { delivery: this.deliveryOf(record), name: String(record.value) };
    this.firsts.set(stage, byId.set(id, [...(byId.get(id) ?? []), passed]));
  }

  /** What work on a delivery is called. */
  nameOf(record: AnyRecord, name: string): string {
    return `${this.deliveryOf(record)} ${name}`;
  }

  /** A result is done when a sink has acknowledged it for each of its topics. */
  willBeWritten(sink: Written, record: AnyRecord, mark: unknown, topics: readonly string[]): void {
    const from = sink.written.length;
    this.written.push({
      sink,
      from,
      mark,
      topics,
      name: this.nameOf(record, String(record.value)),
    });
  }

  /** Ledgers that still count. */
  get open(): Ledger[] {
    return [...this.epochs.keys()].filter(({ isFenced }) => !isFenced);
  }

  private newEpoch({ source: { ledger }, partition }: AnyRecord, pipeline: Pipeline): Epoch {
    // Nothing of it has been acked yet.
    const { offset: start } = ledger.commitPosition;
    const id = this.epochs.size;
    const of = { attempts: new Map(), acked: new Set<number>(), names: new Map() };
    const epoch: Epoch = { id, partition, start, pipeline, ...of };
    this.epochs.set(ledger, epoch);
    this.watch(ledger, epoch);
    return epoch;
  }

  private watch(ledger: Ledger, epoch: Epoch): void {
    const ack = ledger.ack.bind(ledger);
    ledger.ack = (sequence) => {
      const offset = epoch.start + sequence;
      const isFirst = ack(sequence);
      if (isFirst) this.acked(ledger, epoch, offset);
      else if (!ledger.isFenced) this.complain(epoch, offset, 'was acked twice');
      return isFirst;
    };
  }

  private acked(ledger: Ledger, epoch: Epoch, offset: number): void {
    const attempt = epoch.attempts.get(offset)!;
    const known = this.knownOf(`${epoch.id} ${attempt}`);
    if (!isDealtWith(epoch.pipeline, epoch.names.get(offset)!, known)) {
      this.complain(epoch, offset, 'was acked before all was done');
    }
    epoch.acked.add(offset);
    let position = epoch.start;
    while (epoch.acked.has(position)) position++;
    const { offset: watermark } = ledger.commitPosition;
    if (watermark === position) return;
    this.complain(epoch, offset, `put the watermark to ${watermark}, not to ${position}`);
  }

  private deliveryOf(record: AnyRecord): string {
    return `${this.epochs.get(record.source.ledger)!.id} ${record.attempt}`;
  }

  private knownOf(delivery: string): Known {
    return {
      isDone: (name) => this.isDone(`${delivery} ${name}`),
      isRepetition: (stage, rest, name) =>
        [...(this.firsts.get(stage)?.values() ?? [])].flat().some((first) => {
          if (first.delivery === delivery && first.name === name) return false;
          return isDealtWith(rest, first.name, this.knownOf(first.delivery));
        }),
    };
  }

  private isDone(full: string): boolean {
    if (this.work.has(full) || this.isWritten(full)) return true;
    const successor = this.successors.get(full);
    return successor !== undefined && this.isDone(successor);
  }

  private isWritten(name: string): boolean {
    return this.written.some(
      ({ sink, from, mark, topics, name: other }) =>
        other === name &&
        topics.every((wanted) =>
          sink.written
            .slice(from)
            .some(({ topic, value }) => topic === wanted && String(value) === mark),
        ),
    );
  }

  private complain({ id, partition }: Epoch, offset: number, what: string): void {
    this.complaints.push(`${partition}:${offset} of epoch ${id} ${what}`);
  }
}
