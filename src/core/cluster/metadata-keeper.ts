import { apis, brokerError } from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel } from '../util/clock.js';
import { AuthorizationError, KafkaError } from '../util/errors.js';
import type { BrokerPool } from './broker-pool.js';
import {
  applyLeaderHint,
  emptyMetadata,
  forgetBrokers,
  forgetTopics,
  reduceMetadata,
  type ClusterMetadata,
  type LeaderHint,
  type MetadataChange,
  type MetadataUpdate,
  type NodeEndpoint,
  type TopicMetadata,
} from './metadata.js';
import { isUsable, MetadataWaiters, notTold, type Wanted } from './metadata-waiters.js';
import type { ClusterOptions } from './options.js';

const { Metadata } = apis;
const FIRST_VERSION_THAT_CAN_ASK_FOR_NOTHING = 1;
const REBOOTSTRAP_REQUIRED = 129;

export type MetadataListener = (
  metadata: ClusterMetadata,
  changes: readonly MetadataChange[],
) => void;

interface WaitOptions {
  /** On the monotonic clock. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Keeps what is known of the cluster up to date: asks when something is needed or out of date, one
 * request at a time, with a pause between them, and only for topics that somebody uses.
 */
export class MetadataKeeper {
  current = emptyMetadata;
  /** On the monotonic clock; `undefined` before the first answer. */
  updatedAt: number | undefined;
  private readonly usedAt = new Map<string, number>();
  private readonly listeners = new Set<MetadataListener>();
  private readonly waiters = new MetadataWaiters();
  private isAsking = false;
  private isWanted = false;
  /** A topic is needed that was never asked for: there is nothing to be patient about. */
  private isUrgent = false;
  /** On the monotonic clock: nothing is asked before, but what is urgent. */
  private notBefore = 0;
  private questions = 0;
  /** The broker that was asked last. */
  private lastAsked: number | undefined;
  /** Number of the last question that was answered. */
  private answered = 0;
  private failures = 0;
  /** Answers in a row that told nothing new though they were asked for. */
  private fruitless = 0;
  /** Whether somebody asked for the answer that is on its way. */
  private isAskedFor = false;
  private lastFailure: unknown;
  /** Since when no broker has answered; `undefined` while they do. */
  private silentSince: number | undefined;
  private cancelTimer: Cancel | undefined;
  private readonly closing = new AbortController();

  constructor(
    private readonly options: ClusterOptions,
    private readonly pool: BrokerPool,
  ) {}

  /** What is known of a topic, which counts as used from now on. */
  topic(name: string): TopicMetadata | undefined {
    this.usedAt.set(name, this.options.clock.monotonic());
    this.wakeUp();
    return this.current.topics.get(name);
  }

  listen(listener: MetadataListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks soon, unless that is under way. */
  request(): void {
    this.isWanted = true;
    this.schedule();
  }

  /** Believes nothing any more of what was told of topics, and asks soon. */
  askAnew(topics: readonly string[]): void {
    this.current = forgetTopics(this.current, (name) => !topics.includes(name));
    this.markUsed(topics);
    this.request();
  }

  /** Asks soon for what is in use, if anything is. */
  requestIfUsed(): void {
    if (this.isInUse) this.request();
  }

  /** Waits until every topic is known, or known to be out of reach. */
  ensure(topics: readonly string[], options: WaitOptions): Promise<ClusterMetadata> {
    if (topics.some((name) => !this.usedAt.has(name))) this.isUrgent = true;
    if (topics.every((name) => isUsable(this.current, name))) {
      this.markUsed(topics);
      this.wakeUp();
      return Promise.resolve(this.current);
    }
    return this.wait({ topics, wantsNews: false }, options);
  }

  /** Waits for an answer that is asked for from now on. */
  refresh(options: WaitOptions): Promise<ClusterMetadata> {
    return this.wait({ topics: [], wantsNews: true }, options);
  }

  /** Takes a leader in that a refusal has named. */
  hint(hint: LeaderHint, endpoints: readonly NodeEndpoint[]): void {
    const update = applyLeaderHint(this.current, hint, endpoints);
    if (update.changes.length > 0) this.apply(update);
  }

  close(error: Error): void {
    this.closing.abort(error);
    this.stopTimer();
    this.waiters.rejectAll(error);
    this.listeners.clear();
  }

  private wait(
    wanted: Omit<Wanted, 'from'>,
    { deadline, signal }: WaitOptions,
  ): Promise<ClusterMetadata> {
    const { clock } = this.options;
    const found = this.waiters.wait(
      { ...wanted, from: this.questions + 1 },
      {
        clock,
        timeoutMs: deadline - clock.monotonic(),
        signals: [this.closing.signal, signal],
        onTimeout: () => {
          const cause = this.failures > 0 ? this.lastFailure : undefined;
          return notTold(wanted.topics, this.current, cause);
        },
      },
    );
    this.markUsed(wanted.topics);
    this.schedule();
    return found;
  }

  /** Sees to it that it is asked when it is time, which may be now. */
  private schedule(): void {
    if (this.isAsking || this.closing.signal.aborted) return;
    this.stopTimer();
    const { clock, metadataMaxAgeMs } = this.options;
    const now = clock.monotonic();
    const isAwaited = this.isWanted || !this.waiters.isEmpty;
    if (!isAwaited && !this.isInUse) return;
    const isHurried = isAwaited || this.failures > 0;
    const staleAt = (this.updatedAt ?? now) + metadataMaxAgeMs;
    const dueAt = isHurried ? this.notBefore : Math.max(this.notBefore, staleAt);
    const isNow = dueAt <= now || (this.isUrgent && this.failures === 0);
    if (isNow) this.ask();
    // By then whoever was in a hurry may have given up.
    else if (isHurried) this.cancelTimer = clock.schedule(dueAt - now, () => this.schedule());
    else this.cancelTimer = clock.schedule(dueAt - now, () => this.ask());
  }

  private markUsed(topics: readonly string[]): void {
    const now = this.options.clock.monotonic();
    for (const name of topics) this.usedAt.set(name, now);
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  /** What is known grows old where nothing was in use when it was last asked for in vain. */
  private wakeUp(): void {
    const isAtRest = this.cancelTimer === undefined && !this.isAsking;
    if (isAtRest && this.updatedAt !== undefined) this.schedule();
  }

  /** Whether a topic was used lately. */
  private get isInUse(): boolean {
    const { oldestUse } = this;
    for (const usedAt of this.usedAt.values()) if (usedAt >= oldestUse) return true;
    return false;
  }

  /** What was not used since then is idle; on the monotonic clock. */
  private get oldestUse(): number {
    return this.options.clock.monotonic() - this.options.metadataMaxIdleMs;
  }

  private ask(): void {
    this.isAsking = true;
    this.questions++;
    this.isAskedFor = this.isWanted || !this.waiters.isEmpty;
    const { clock, retryBackoffMaxMs } = this.options;
    if (clock.monotonic() > this.notBefore + retryBackoffMaxMs) this.fruitless = 0;
    this.isWanted = false;
    this.isUrgent = false;
    this.fetch().then(
      (isNews) => this.asked(isNews, undefined),
      (error: unknown) => this.asked(false, error),
    );
  }

  private asked(isNews: boolean, failure: unknown): void {
    this.isAsking = false;
    if (this.closing.signal.aborted) return;
    const { clock, retryBackoffMs, retryBackoffMaxMs } = this.options;
    if (failure !== undefined) {
      this.failures++;
      this.lastFailure = failure;
      if (!(failure instanceof KafkaError) || !failure.isRetriable) {
        // Waiting doesn't cure it: wrong credentials, say.
        this.waiters.rejectAll(failure as Error);
      }
      this.considerRebootstrap();
    }
    this.fruitless = isNews || !this.isAskedFor ? 0 : this.fruitless + 1;
    const attempts = Math.max(this.failures - 1, this.fruitless, 0);
    const waitMs = backoffMs(attempts, retryBackoffMs, retryBackoffMaxMs, clock.random());
    this.notBefore = clock.monotonic() + waitMs;
    this.schedule();
  }

  /** One that may be cut off from the others, for it told nothing new twice or couldn't, gives way. */
  private whomToAsk(): number {
    const { lastAsked, fruitless, failures, pool } = this;
    const givesWay = failures > 0 || fruitless > 1;
    return givesWay && lastAsked !== undefined ? pool.after(lastAsked) : pool.any();
  }

  /** Asks and takes the answer in; tells whether there was anything new in it. */
  private async fetch(): Promise<boolean> {
    const { clock, allowAutoCreateTopics, metadataRecoveryStrategy } = this.options;
    const nodeId = this.whomToAsk();
    this.lastAsked = nodeId;
    const channel = this.pool.channel(nodeId, 'control');
    await channel.ready();
    const version = channel.version(Metadata);
    const { oldestUse } = this;
    const { topics: awaited } = this.waiters;
    for (const [name, usedAt] of this.usedAt) {
      if (usedAt < oldestUse && !awaited.has(name)) this.usedAt.delete(name);
    }
    const names = [...this.usedAt.keys()];
    const asksForAll = names.length === 0 && version < FIRST_VERSION_THAT_CAN_ASK_FOR_NOTHING;
    const answer = await channel.send(Metadata, version, {
      topics: asksForAll ? [] : names.map((name) => ({ name })),
      ...(version >= 4 && { allowAutoTopicCreation: allowAutoCreateTopics }),
    });
    const mayBegin = metadataRecoveryStrategy === 'rebootstrap';
    if (answer.errorCode === REBOOTSTRAP_REQUIRED && mayBegin) {
      this.rebootstrap('the cluster asked for it');
      return false;
    }
    const error = brokerError(answer.errorCode);
    if (error.code !== 0) {
      const { name: code, isRetriable } = error;
      const message = `Cannot ask for metadata: the broker said ${code}: ${error.message}`;
      throw error.isAuthorization
        ? new AuthorizationError(message, { code })
        : new KafkaError(message, { code, isRetriable });
    }
    // To a broker that is starting no topic exists, nor even itself.
    if (answer.brokers.length === 0) throw knowsNobody();
    this.answered = this.questions;
    this.failures = 0;
    this.silentSince = undefined;
    this.updatedAt = clock.monotonic();
    const update = reduceMetadata(this.current, answer, version);
    const metadata = forgetTopics(update.metadata, (name) => this.usedAt.has(name));
    this.apply({ metadata, changes: update.changes });
    return update.changes.length > 0;
  }

  private apply({ metadata, changes }: MetadataUpdate): void {
    this.current = metadata;
    if (changes.length > 0) this.options.onEvent({ type: 'metadata-changed', changes });
    // The bootstrap connection has done its work as soon as real brokers are known.
    if (changes.some(({ type }) => type === 'brokers')) this.pool.prune();
    for (const listener of [...this.listeners]) listener(metadata, changes);
    this.waiters.settle(this.current, this.answered);
  }

  /** No known broker answers, or not for too long: start again from the beginning (KIP-899, 1102). */
  private considerRebootstrap(): void {
    const { clock, metadataRecoveryStrategy, metadataRecoveryRebootstrapTriggerMs } = this.options;
    const now = clock.monotonic();
    this.silentSince ??= now;
    if (metadataRecoveryStrategy === 'none' || this.current.brokers.size === 0) return;
    if (this.pool.isCutOff) this.rebootstrap('no known broker can be reached');
    else if (now - this.silentSince >= metadataRecoveryRebootstrapTriggerMs) {
      this.rebootstrap('no broker has told about the cluster for too long');
    }
  }

  private rebootstrap(reason: string): void {
    this.silentSince = undefined;
    this.current = forgetBrokers(this.current);
    this.pool.reset();
    if (this.isInUse) this.isWanted = true;
    this.options.onEvent({ type: 'rebootstrapped', reason });
  }
}

function knowsNobody(): KafkaError {
  return new KafkaError('The broker that was asked for metadata knows of no broker yet', {
    code: 'BROKER_NOT_AVAILABLE',
    isRetriable: true,
  });
}
