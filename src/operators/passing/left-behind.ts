import type { Work } from '../processing/work.js';
import { Pipelines } from './pipelines.js';

/**
 * Records that are left to whoever reads their partition next. They are kept, for what goes back before
 * the partition is given up is delivered again, and go back then, for whoever gives it up waits for all
 * that is in hand.
 */
export class LeftBehind<T extends Work> {
  private records: T[] = [];
  private readonly pipelines: Pipelines;

  constructor() {
    const returnLeaving = () => this.returnLeaving();
    this.pipelines = new Pipelines({ onDraining: returnLeaving, onLost: returnLeaving });
  }

  take(record: T): void {
    record.takeOver();
    this.pipelines.note(record.pipeline);
    this.records.push(record);
    // That may have been told before it came here.
    if (record.isLeaving) this.returnLeaving();
  }

  /** The stream is over. */
  stop(): void {
    this.pipelines.stop();
    for (const record of this.records.splice(0)) record.giveBack();
  }

  private returnLeaving(): void {
    const leaving = this.records.filter(({ isLeaving }) => isLeaving);
    this.records = this.records.filter(({ isLeaving }) => !isLeaving);
    for (const record of leaving) record.giveBack();
  }
}
