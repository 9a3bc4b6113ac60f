/** Where a leader's reign began in the log. */
export interface EpochStart {
  readonly epoch: number;
  /** Offset of the first record written in it. */
  readonly startOffset: number;
}

/** Where an epoch ended, as OffsetForLeaderEpoch tells it; -1 for what is not known. */
export interface EpochEnd {
  readonly epoch: number;
  readonly endOffset: number;
}

const UNDEFINED: EpochEnd = { epoch: -1, endOffset: -1 };

/** Which leader wrote which part of a log: what truncation is detected with (KIP-101, KIP-320). */
export class LeaderEpochs {
  private starts: EpochStart[] = [];

  get all(): readonly EpochStart[] {
    return this.starts;
  }

  get latest(): number {
    return this.starts.at(-1)?.epoch ?? -1;
  }

  /** A leader begins to write at an offset. */
  assign(epoch: number, startOffset: number): void {
    if (epoch <= this.latest) return;
    // A leader that wrote nothing leaves no trace.
    while (this.starts.length > 0 && this.starts.at(-1)!.startOffset >= startOffset) {
      this.starts.pop();
    }
    this.starts.push({ epoch, startOffset });
  }

  /** The epoch that wrote the record at an offset; -1 when there is none. */
  at(offset: number): number {
    return this.starts.findLast(({ startOffset }) => startOffset <= offset)?.epoch ?? -1;
  }

  /** The last offset, exclusive, of an epoch or of the nearest one below it. */
  endOf(epoch: number, logEndOffset: number): EpochEnd {
    if (epoch < 0) return UNDEFINED;
    if (epoch === this.latest) return { epoch, endOffset: logEndOffset };
    const next = this.starts.find((start) => start.epoch > epoch);
    if (next === undefined) return UNDEFINED;
    const floor = this.starts.findLast((start) => start.epoch <= epoch);
    return { epoch: floor?.epoch ?? epoch, endOffset: next.startOffset };
  }

  /** Forgets what was cut off at the end. */
  truncateTo(endOffset: number): void {
    this.starts = this.starts.filter(({ startOffset }) => startOffset < endOffset);
  }

  /** Forgets what was deleted at the start. */
  deleteBefore(startOffset: number): void {
    const floor = this.starts.findLastIndex((start) => start.startOffset <= startOffset);
    if (floor < 0) return;
    const first = { epoch: this.starts[floor]!.epoch, startOffset };
    this.starts = [first, ...this.starts.slice(floor + 1)];
  }
}
