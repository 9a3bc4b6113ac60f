import type { ConsumerRecord, Pipeline } from '../../core/consumer/index.js';

type Owner = ConsumerRecord['owner'];
type Ledger = ConsumerRecord['source']['ledger'];

/** The records of one transaction, over all attempts at it. */
export class TransactionBatch<K, V> {
  records: ConsumerRecord<K, V>[] = [];
  private readonly ledgers = new Set<Ledger>();
  private readonly owners = new Set<Owner>();
  private latest: Ledger | undefined;
  /** One that was settled by somebody else before it could join. */
  private passed: ConsumerRecord<K, V> | undefined;

  /**
   * Takes a record; false while one before it in its partition is neither acked nor taken. One that
   * somebody else has settled is taken as well, so that it is told of.
   */
  take(record: ConsumerRecord<K, V>): boolean {
    const { ledger } = record.source;
    if (!ledger.join(record.offset)) {
      if (!ledger.isPassed(record.offset)) return false;
      this.passed ??= record;
    }
    if (ledger !== this.latest) {
      this.latest = ledger;
      this.ledgers.add(ledger);
      this.owners.add(record.owner);
    }
    this.records.push(record);
    return true;
  }

  /** Whether every partition is still held, in the epoch in which its records came. */
  get isOwned(): boolean {
    for (const ledger of this.ledgers) if (ledger.isFenced) return false;
    return true;
  }

  /** A record that somebody else has settled: the transaction can't answer for it. */
  get taken(): ConsumerRecord<K, V> | undefined {
    if (this.passed !== undefined) return this.passed;
    for (const ledger of this.ledgers) {
      const taken = ledger.takenFromTransaction;
      if (taken === undefined) continue;
      return this.records.find(
        ({ source, offset }) => source.ledger === ledger && offset === taken,
      );
    }
    return undefined;
  }

  /** Whether records of a partition are among them. */
  has(owner: Owner): boolean {
    return this.owners.has(owner);
  }

  get pipelines(): Set<Pipeline> {
    return new Set([...this.owners].map(({ pipeline }) => pipeline));
  }

  /** Whether records of partitions that are being given up are among them. */
  get isDraining(): boolean {
    for (const owner of this.owners) if (owner.isDraining) return true;
    return false;
  }

  /** Whether they are done is in the balance from now on, until they are acked, renewed or given back. */
  beginCommit(): void {
    for (const ledger of this.ledgers) ledger.beginCommit();
  }

  /** Takes the same records again, but for those of partitions that are lost, or were to be left. */
  renew(): void {
    this.leave();
    const before = this.records;
    this.records = [];
    this.ledgers.clear();
    this.owners.clear();
    this.latest = undefined;
    for (const record of before) {
      if (record.signal.aborted || !this.take(record)) record.giveBack();
    }
  }

  ack(): void {
    for (const record of this.records) record.ack();
    for (const ledger of this.ledgers) ledger.endCommit();
  }

  giveBack(): void {
    this.leave();
    for (const record of this.records) record.giveBack();
    this.records = [];
  }

  private leave(): void {
    for (const ledger of this.ledgers) {
      ledger.leaveTransaction();
      ledger.endCommit();
    }
  }
}
