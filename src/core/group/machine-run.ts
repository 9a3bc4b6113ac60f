import type { Cluster } from '../cluster/index.js';
import { unreachable } from '../util/assert.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel, Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import { Queue } from '../util/queue.js';
import type { Assignor } from './assignors/assignor.js';
import { assignorFailed, type Coordinator } from './coordinator.js';
import { asKafkaError } from './errors.js';
import type { GroupEvent } from './events.js';
import type { HandlerCalls } from './handler-calls.js';
import type { Effect, GroupRequest, Input, MembershipView } from './machine.js';
import type { Machine } from './machines.js';
import type { GroupMetrics } from './metrics.js';
import type { GroupOptions } from './options.js';
import { shareOut } from './share-out.js';
import type { Topics } from './topics.js';

export interface MachineRunParts {
  readonly machine: Machine;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly options: GroupOptions;
  readonly coordinator: Coordinator;
  readonly metrics: GroupMetrics;
  readonly calls: HandlerCalls;
  readonly topics: Topics;
  readonly assignors: readonly Assignor[];
  readonly isCooperative: boolean;
  readonly onEvent: (event: GroupEvent) => void;
  readonly onFailed: (error: KafkaError) => void;
  /** It is still a member, and is to leave. */
  readonly onGaveUp: (error: KafkaError) => void;
  readonly onLeft: () => void;
}

/**
 * Runs a machine: inputs one at a time, effects in order. Whatever is asynchronous ends in another
 * input.
 */
export class MachineRun {
  private readonly inputs = new Queue<Input>();
  private isReducing = false;
  private isStopped = false;
  private readonly timers = new Map<'heartbeat' | 'retry' | 'resolve', Cancel>();
  /** The topics that this member has shared out as leader. */
  private watched: readonly string[] = [];
  private unresolved: readonly string[] = [];
  private isResolving = false;
  /** When the member lost its place, or began to look for one; `undefined` while it has one. */
  private unsettledAt: number | undefined;
  private readonly stopWatching: () => void;

  constructor(private readonly parts: MachineRunParts) {
    this.stopWatching = parts.cluster.onMetadata(() => {
      if (this.watched.length === 0) return;
      this.dispatch({ type: 'layouts-seen', layouts: parts.topics.layouts(this.watched) });
    });
  }

  get view(): MembershipView {
    return this.parts.machine.view;
  }

  dispatch(input: Input): void {
    this.inputs.push(input);
    if (this.isReducing) return;
    this.isReducing = true;
    try {
      for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) {
        const effects = this.parts.machine.dispatch(next);
        this.measure();
        for (const effect of effects) this.carryOut(effect);
      }
    } finally {
      this.isReducing = false;
    }
  }

  /** Does nothing more. */
  stop(): void {
    this.isStopped = true;
    this.stopTimers();
    this.parts.coordinator.callOff();
    this.stopWatching();
  }

  private measure(): void {
    const { clock, metrics } = this.parts;
    if (!this.view.isJoined) this.unsettledAt ??= clock.monotonic();
    else if (this.unsettledAt !== undefined) {
      metrics.rebalanced(clock.monotonic() - this.unsettledAt);
      this.unsettledAt = undefined;
    }
  }

  private carryOut(effect: Effect): void {
    const { parts } = this;
    switch (effect.type) {
      case 'send':
        this.send(effect.request);
        break;
      case 'schedule-heartbeat':
        this.scheduleHeartbeat(effect.delayMs);
        break;
      case 'schedule-retry':
        this.after('retry', this.backoff(effect.failures), () =>
          this.dispatch({ type: 'retry-due' }),
        );
        break;
      case 'stop-timers':
        this.stopTimers();
        break;
      case 'call-off':
        parts.coordinator.callOff();
        break;
      case 'repeat-no-more':
        parts.coordinator.repeatNoMore();
        break;
      case 'revoke':
      case 'assign':
        parts.calls.push(effect);
        break;
      case 'lose':
        parts.calls.lose(effect.partitions);
        break;
      case 'fail':
        parts.onFailed(effect.error);
        break;
      case 'give-up':
        parts.onGaveUp(effect.error);
        break;
      case 'emit':
        parts.onEvent(effect.event);
        break;
      case 'share-out':
        this.shareOut(effect);
        break;
      case 'note-assignment':
        this.noteAssignment(effect);
        break;
      case 'resolve-topics':
        this.resolve(effect.ids);
        break;
      case 'left':
        parts.onLeft();
        break;
      default:
        unreachable(effect);
    }
  }

  private send(request: GroupRequest): void {
    // Only the leader of the generation to come watches.
    if (request.type === 'join') this.watched = [];
    this.parts.coordinator.send(request).then(
      (answer) => this.dispatch({ type: 'answered', answer }),
      (error: unknown) =>
        this.dispatch({ type: 'unanswered', request, error: asKafkaError(error) }),
    );
  }

  private shareOut(effect: Extract<Effect, { type: 'share-out' }>): void {
    const { generationId, members } = effect;
    const names = [...new Set(members.flatMap(({ topics }) => topics))];
    this.computeShares(effect, names).then(
      (input) => this.dispatch(input),
      (error: unknown) =>
        this.dispatch({ type: 'not-shared-out', generationId, error: asKafkaError(error) }),
    );
  }

  private async computeShares(
    { generationId, members, assignor, isSkipped }: Extract<Effect, { type: 'share-out' }>,
    names: readonly string[],
  ): Promise<Input> {
    const layouts = await this.parts.topics.findLayouts(names);
    this.watched = names;
    const chosen = this.assignorNamed(assignor);
    const assignments = isSkipped
      ? []
      : shareOut(chosen, layouts, members, this.parts.isCooperative);
    return { type: 'shared-out', generationId, assignments, layouts };
  }

  private noteAssignment({
    assignor,
    assignment,
    generationId,
  }: Extract<Effect, { type: 'note-assignment' }>): void {
    try {
      this.assignorNamed(assignor).onAssignment?.(assignment, generationId);
    } catch (error) {
      this.dispatch({ type: 'broke', error: assignorFailed(assignor, error) });
    }
  }

  private assignorNamed(name: string): Assignor {
    return this.parts.assignors.find((assignor) => assignor.name === name)!;
  }

  private resolve(ids: readonly string[]): void {
    this.unresolved = ids;
    if (ids.length === 0 || this.isResolving) return;
    this.isResolving = true;
    this.parts.topics.resolve(ids).then(
      (names) => this.resolved(names),
      (error: unknown) => this.notResolved(asKafkaError(error)),
    );
  }

  private resolved(names: ReadonlyMap<string, string>): void {
    this.isResolving = false;
    const unknown = this.unresolved.filter((id) => !names.has(id));
    if (unknown.length > 0) this.emitRetry('Metadata', namesUnknown(unknown));
    if (names.size > 0) this.dispatch({ type: 'topics-resolved', names });
    this.resolveLater();
  }

  private notResolved(error: KafkaError): void {
    this.isResolving = false;
    if (!error.isRetriable) {
      this.dispatch({ type: 'broke', error });
      return;
    }
    this.emitRetry('Metadata', error);
    this.resolveLater();
  }

  /** A topic may be so new that the broker that was asked has not heard of it. */
  private resolveLater(): void {
    if (this.unresolved.length === 0 || this.isResolving) return;
    this.after('resolve', this.backoff(2), () => this.resolve(this.unresolved));
  }

  private scheduleHeartbeat(delayMs: number): void {
    this.after('heartbeat', delayMs, () => {
      this.keepTopics();
      this.dispatch({ type: 'heartbeat-due' });
    });
  }

  /** What the leader watches must not be forgotten as unused; what is missing may have come. */
  private keepTopics(): void {
    const { topics, cluster } = this.parts;
    if (topics.layouts(this.watched).size < this.watched.length) cluster.requestMetadataUpdate();
  }

  private emitRetry(api: string, error: KafkaError): void {
    const { groupId } = this.parts.options;
    this.parts.onEvent({ type: 'group-retried', groupId, api, reason: error.message });
  }

  private backoff(failures: number): number {
    const { retryBackoffMs, retryBackoffMaxMs } = this.parts.options;
    return backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, this.parts.clock.random());
  }

  private after(name: 'heartbeat' | 'retry' | 'resolve', delayMs: number, task: () => void): void {
    if (this.isStopped) return;
    this.timers.get(name)?.();
    this.timers.set(name, this.parts.clock.schedule(delayMs, task));
  }

  private stopTimers(): void {
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
  }
}

function namesUnknown(ids: readonly string[]): KafkaError {
  return new KafkaError(
    `no broker knows, or may tell, the names of the assigned topics with the ids ${ids.join(', ')}`,
    { code: 'UNKNOWN_TOPIC_ID', isRetriable: true },
  );
}
