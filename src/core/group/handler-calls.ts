import type { Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import type { Effect } from './machine.js';
import type { GroupHandler } from './member.js';
import { PartitionSet } from './topic-partition.js';
import { messageOf } from '../util/message-of.js';

type Call = Extract<Effect, { type: 'revoke' | 'assign' }>;

export interface HandlerCallsOptions {
  readonly handler: GroupHandler;
  readonly clock: Clock;
  /** How long the group waits for what a member hands back. */
  readonly drainTimeoutMs: number;
  readonly onDone: (call: number) => void;
  readonly onFailed: (error: KafkaError) => void;
}

/** Makes calls to a member's handler one at a time. What is lost is said at once. */
export class HandlerCalls {
  private readonly waiting: Call[] = [];
  private isBusy = false;
  private isClosed = false;
  /** What the handler has been told to have. */
  private readonly held = new PartitionSet();

  constructor(private readonly options: HandlerCallsOptions) {}

  push(call: Call): void {
    this.waiting.push(call);
    this.next();
  }

  lose(partitions: Extract<Effect, { type: 'lose' }>['partitions']): void {
    // What the handler has not heard of yet it need not hear of.
    this.waiting.length = 0;
    const lost = partitions.filter((partition) => this.held.has(partition));
    for (const partition of lost) this.held.delete(partition);
    if (lost.length > 0 && !this.isClosed) this.options.handler.onLost(lost);
  }

  /** Makes no more calls. */
  close(): void {
    this.isClosed = true;
    this.waiting.length = 0;
  }

  private next(): void {
    if (this.isBusy || this.isClosed) return;
    const call = this.waiting.shift();
    if (call === undefined) return;
    this.isBusy = true;
    this.make(call).then(
      () => this.made(call, undefined),
      (error: unknown) => this.made(call, error),
    );
  }

  private async make(call: Call): Promise<void> {
    const { handler, clock, drainTimeoutMs } = this.options;
    if (call.type === 'revoke') {
      await handler.onRevoked(call.partitions, clock.monotonic() + drainTimeoutMs);
      for (const partition of call.partitions) this.held.delete(partition);
      return;
    }
    for (const partition of call.added) this.held.add(partition);
    await handler.onAssigned(call.added, call.all);
  }

  private made(call: Call, failure: unknown): void {
    this.isBusy = false;
    if (!this.isClosed && failure !== undefined) this.failed(call, failure);
    if (!this.isClosed) this.options.onDone(call.call);
    this.next();
  }

  private failed(call: Call, cause: unknown): void {
    const reason = messageOf(cause);
    if (call.type === 'assign') {
      // Nobody would read partitions that were not taken up.
      const message = `The assigned partitions could not be taken up: ${reason}`;
      const error = new KafkaError(message, { code: 'ASSIGNMENT_FAILED', cause });
      this.options.onFailed(cause instanceof KafkaError ? cause : error);
      return;
    }
    for (const partition of call.partitions) this.held.delete(partition);
    this.options.handler.onEvent({
      type: 'warning',
      code: 'REVOCATION_FAILED',
      message: `Partitions are handed back although they could not be drained: ${reason}`,
    });
  }
}
