import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Outlets } from '../delivering/outlets.js';
import type { DrainReport } from '../events.js';
import type { Pipeline } from '../pipeline.js';
import type { Committer } from '../positions/committer.js';
import type { Drainer, EndReason } from './drainer.js';
import type { Handover } from './handover.js';
import type { Holdings } from './holdings.js';
import type { Membership } from './membership.js';

/** What has its part in the end of a run. */
export interface EndingParts {
  /** Whatever would begin something new. */
  readonly movers: readonly { stop(): void }[];
  readonly outlets: Outlets;
  readonly holdings: Holdings;
  readonly drainer: Drainer;
  readonly handover: Pick<Handover, 'commitLast' | 'drop'>;
  /** `undefined` without a group. */
  readonly committer: Pick<Committer, 'stop'> | undefined;
  readonly membership: Pick<Membership, 'leave'>;
  readonly pipeline: Pick<Pipeline, 'end'>;
}

/**
 * How a run ends: it delivers nothing more, waits for work in hand, commits, leaves, and only then
 * says so. It ends once, for the first reason that there is.
 */
export class Ending {
  private report: Promise<DrainReport> | undefined;
  private failure: KafkaError | undefined;

  constructor(
    private readonly context: ConsumerContext,
    private readonly parts: EndingParts,
    /** Nothing is left behind. */
    private readonly onOver: () => void,
  ) {}

  get isUnderWay(): boolean {
    return this.report !== undefined;
  }

  /** Resolves when the run has ended and left nothing behind. Ends nothing. */
  get over(): Promise<unknown> {
    return this.report ?? Promise.resolve();
  }

  /** A second call returns what the first does. */
  begin(reason: EndReason, timeoutMs: number): Promise<DrainReport> {
    if (this.report !== undefined) return this.report;
    // Known before anything is told: completing the stream leads back here.
    let resolve: (report: DrainReport) => void = () => undefined;
    this.report = new Promise((done) => (resolve = done));
    void this.leave(reason, timeoutMs).then(resolve);
    return this.report;
  }

  /** Ends with an error, for which a partition may be to blame. */
  fail(error: KafkaError, guilty?: AssignedPartition): void {
    this.failure ??= error;
    if (guilty !== undefined) guilty.phase = 'failed';
    void this.begin('failed', this.context.options.drainTimeoutMs);
  }

  private async leave(reason: EndReason, timeoutMs: number): Promise<DrainReport> {
    const { movers, outlets, holdings, drainer, handover, pipeline } = this.parts;
    for (const mover of movers) mover.stop();
    const partitions = holdings.all;
    // Before the drain: what operators hold back comes out when the stream completes.
    if (reason !== 'failed') outlets.complete();
    await drainer.finish(reason, partitions, timeoutMs);
    const held = await handover.commitLast(partitions);
    const offsetsCommitted = held.flatMap(({ topic, partition, committedOffset: offset }) =>
      offset === undefined ? [] : [{ topic, partition, offset }],
    );
    this.parts.committer?.stop();
    handover.drop(held);
    drainer.stop();
    await this.parts.membership.leave();
    const { recordsFinished, recordsAbandoned } = holdings;
    const report: DrainReport = { recordsFinished, recordsAbandoned, offsetsCommitted };
    pipeline.end();
    this.onOver();
    this.context.emit({ type: 'drained', ...report });
    if (this.failure !== undefined) outlets.fail(this.failure);
    return report;
  }
}
