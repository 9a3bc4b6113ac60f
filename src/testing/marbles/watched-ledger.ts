import type { Ledger } from '../../core/consumer/ledger.js';

/** What is told of the records of one ledger, by offset. */
export interface LedgerWatcher {
  onAcked(offset: number): void;
  /** The epoch was over: it has changed nothing. */
  onAckedLate(offset: number): void;
}

/** Has a real ledger tell which record was acked: of itself it tells only that one was. */
export function watchLedger(ledger: Ledger, watcher: LedgerWatcher): void {
  const offsets: number[] = [];
  const deliver = ledger.deliver.bind(ledger);
  const ack = ledger.ack.bind(ledger);
  ledger.deliver = (offset, leaderEpoch, now) => {
    const sequence = deliver(offset, leaderEpoch, now);
    offsets[sequence] = offset;
    return sequence;
  };
  ledger.ack = (sequence) => {
    const isFirst = ack(sequence);
    if (isFirst) watcher.onAcked(offsets[sequence]!);
    else if (ledger.isFenced) watcher.onAckedLate(offsets[sequence]!);
    return isFirst;
  };
}
