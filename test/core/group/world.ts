import {
  PartitionSet,
  samePartitions,
  type TopicPartition,
} from '../../../src/core/group/index.js';
import type { Answer, Effect, GroupRequest, Input, Step } from '../../../src/core/group/machine.js';
import { KafkaError } from '../../../src/core/util/errors.js';

/** What a machine waits for. */
export type Outstanding =
  | { readonly type: 'request'; readonly request: GroupRequest }
  | { readonly type: 'heartbeat-timer' }
  | { readonly type: 'retry-timer' }
  | { readonly type: 'call'; readonly call: number }
  | {
      readonly type: 'share-out';
      readonly effect: Extract<Effect, { type: 'share-out' }>;
    }
  | { readonly type: 'resolve'; readonly ids: readonly string[] };

/**
 * Everything around a machine, as data: what it waits for, and what its handler holds. Notes whatever
 * breaks the rules between them.
 */
export class World<S> {
  readonly outstanding: Outstanding[] = [];
  readonly broken: string[] = [];
  /** In order, as `send join`, `revoke`, `emit rebalancing`. */
  readonly log: string[] = [];
  readonly effects: Effect[] = [];
  held = new PartitionSet();
  fatal: KafkaError | undefined;
  hasLeft = false;

  constructor(
    public state: S,
    private readonly reduce: (state: S, input: Input) => Step<S>,
  ) {}

  dispatch(input: Input): Effect[] {
    const { state, effects } = this.reduce(this.state, input);
    this.state = state;
    for (const effect of effects) this.take(effect);
    return [...effects];
  }

  /** Takes something off what the machine waits for. */
  settle(item: Outstanding, input: Input): Effect[] {
    this.outstanding.splice(this.outstanding.indexOf(item), 1);
    return this.dispatch(input);
  }

  /** Answers the request of a type. */
  answer<T extends Answer['type']>(
    type: T,
    body: Partial<Extract<Answer, { type: T }>['body']> & { readonly errorCode?: number },
  ): Effect[] {
    const item = this.outstanding.find(
      (each) => each.type === 'request' && each.request.type === type,
    );
    if (item?.type !== 'request') throw new Error(`no ${type} is outstanding: ${this.log.join()}`);
    const answer = { type, request: item.request, body: { errorCode: 0, ...body } } as Answer;
    return this.settle(item, { type: 'answered', answer });
  }

  unanswered(type: GroupRequest['type'], error = unreachable()): Effect[] {
    const item = this.outstanding.find(
      (each) => each.type === 'request' && each.request.type === type,
    );
    if (item?.type !== 'request') throw new Error(`no ${type} is outstanding`);
    return this.settle(item, { type: 'unanswered', request: item.request, error });
  }

  calledBack(): Effect[] {
    const item = this.one('call');
    return this.settle(item, { type: 'called-back', call: item.call });
  }

  due(timer: 'heartbeat' | 'retry'): Effect[] {
    return this.settle(this.one(`${timer}-timer`), { type: `${timer}-due` });
  }

  one<T extends Outstanding['type']>(type: T): Extract<Outstanding, { type: T }> {
    const item = this.outstanding.find((each) => each.type === type);
    if (item === undefined) throw new Error(`no ${type} is outstanding: ${this.log.join(', ')}`);
    return item as Extract<Outstanding, { type: T }>;
  }

  has(type: Outstanding['type']): boolean {
    return this.outstanding.some((each) => each.type === type);
  }

  private take(effect: Effect): void {
    this.effects.push(effect);
    this.log.push(label(effect));
    if (this.fatal !== undefined || this.hasLeft) this.complain(`${effect.type} after the end`);
    switch (effect.type) {
      case 'send':
        this.sent(effect.request);
        break;
      case 'schedule-heartbeat':
        this.replace({ type: 'heartbeat-timer' });
        break;
      case 'schedule-retry':
        this.replace({ type: 'retry-timer' });
        break;
      case 'stop-timers':
        this.drop('heartbeat-timer');
        this.drop('retry-timer');
        break;
      case 'revoke':
        this.revoke(effect);
        break;
      case 'assign':
        this.assign(effect);
        break;
      case 'lose':
        this.lose(effect.partitions);
        break;
      case 'share-out':
        this.outstanding.push({ type: 'share-out', effect });
        break;
      case 'resolve-topics':
        this.drop('resolve');
        if (effect.ids.length > 0) this.outstanding.push({ type: 'resolve', ids: effect.ids });
        break;
      case 'fail':
        this.fatal = effect.error;
        break;
      case 'left':
        this.hasLeft = true;
        break;
      case 'emit':
      case 'note-assignment':
        break;
    }
  }

  private sent(request: GroupRequest): void {
    const isFarewell = request.type === 'consumer-heartbeat' && request.memberEpoch < 0;
    // A share that is still waited for in a generation that is over is of no interest.
    const generationOf = (each: GroupRequest) => (each.type === 'sync' ? each.generationId : 0);
    const isDouble = this.outstanding.some(
      (each) =>
        each.type === 'request' &&
        each.request.type === request.type &&
        generationOf(each.request) === generationOf(request) &&
        !isFarewell,
    );
    if (isDouble) this.complain(`two ${request.type} requests at once`);
    this.outstanding.push({ type: 'request', request });
  }

  private revoke({ call, partitions }: Extract<Effect, { type: 'revoke' }>): void {
    if (this.has('call')) this.complain('revoke while another call is awaited');
    if (partitions.length === 0) this.complain('revoke of nothing');
    for (const partition of partitions) {
      if (!this.held.has(partition)) this.complain('revoke of what is not held');
      this.held.delete(partition);
    }
    this.outstanding.push({ type: 'call', call });
  }

  private assign({ call, added, all }: Extract<Effect, { type: 'assign' }>): void {
    if (this.has('call')) this.complain('assign while another call is awaited');
    for (const partition of added) {
      if (this.held.has(partition)) this.complain('assign of what is held');
      this.held.add(partition);
    }
    if (!samePartitions(all, [...this.held])) this.complain('assign: all is not all');
    this.outstanding.push({ type: 'call', call });
  }

  private lose(partitions: readonly TopicPartition[]): void {
    // What is being drained may be lost as well.
    const missing = [...this.held].filter(
      (held) => !partitions.some((lost) => samePartitions([lost], [held])),
    );
    if (missing.length > 0) this.complain('lost less than was held');
    this.held = new PartitionSet();
    this.drop('call');
  }

  private replace(item: Outstanding): void {
    this.drop(item.type);
    this.outstanding.push(item);
  }

  private drop(type: Outstanding['type']): void {
    for (let i = this.outstanding.length - 1; i >= 0; i--) {
      if (this.outstanding[i]!.type === type) this.outstanding.splice(i, 1);
    }
  }

  private complain(what: string): void {
    this.broken.push(`${what} (${this.log.slice(-12).join(', ')})`);
  }
}

/** A failure that trying again may cure. */
export function unreachable(): KafkaError {
  return new KafkaError('the broker can’t be reached', { code: 'TIMED_OUT', isRetriable: true });
}

function label(effect: Effect): string {
  if (effect.type === 'send') return `send ${effect.request.type}`;
  if (effect.type === 'emit') return `emit ${effect.event.type}`;
  return effect.type;
}
