import { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';

/** What an {@link Absence} has the consumer do. */
export interface AbsenceHooks {
  readonly isEnding: () => boolean;
  /** Commits, gives everything up and leaves; tells whether records were in hand. */
  readonly leave: () => Promise<boolean>;
  readonly rejoin: () => void;
  readonly onFatal: (error: KafkaError) => void;
}

/**
 * What becomes of a member whose pipeline hangs: it leaves, so that others get its partitions, and
 * joins again when the pipeline shows that it lives. Joining at once would hand the same partitions
 * to the same hung pipeline.
 */
export class Absence {
  private state: 'none' | 'leaving' | 'alive' | 'gone' = 'none';

  constructor(
    private readonly context: ConsumerContext,
    private readonly groupId: string,
    private readonly hooks: AbsenceHooks,
  ) {}

  /** Nothing was done with records in hand for `maxPollIntervalMs`. */
  hung(partition: AssignedPartition): void {
    if (this.hooks.isEnding() || this.state !== 'none') return;
    const { maxPollIntervalMs, onMaxPollInterval } = this.context.options;
    const { topic, partition: index, key, ledger } = partition;
    const { offset } = ledger.oldestUnacked!;
    const code = 'MAX_POLL_INTERVAL_EXCEEDED';
    const message =
      `Nothing was done for ${maxPollIntervalMs} ms (maxPollIntervalMs) with records in hand, the ` +
      `oldest at ${key} offset ${offset}: the consumer leaves group ${this.groupId}`;
    if (onMaxPollInterval === 'fail') {
      const context = { topic, partition: index, offset };
      this.hooks.onFatal(new KafkaError(message, { code, context }));
      return;
    }
    this.context.emit({ type: 'warning', code, message });
    this.state = 'leaving';
    void this.leave();
  }

  /** A record came back, however late. */
  pipelineLives(): void {
    if (this.state === 'leaving') this.state = 'alive';
    if (this.state !== 'gone' || this.hooks.isEnding()) return;
    this.state = 'none';
    this.hooks.rejoin();
  }

  private async leave(): Promise<void> {
    const wasInHand = await this.hooks.leave();
    // All was acked meanwhile: nothing is left in hand that could show life later.
    const hasShownLife = this.state === 'alive' || !wasInHand;
    this.state = 'gone';
    if (hasShownLife) this.pipelineLives();
  }
}
