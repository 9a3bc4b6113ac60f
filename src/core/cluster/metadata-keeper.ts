import { apis, brokerError } from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel } from '../util/clock.js';
import { KafkaError, TimeoutError } from '../util/errors.js';
import type { BrokerPool } from './broker-pool.js';
import {
  applyLeaderHint,
  emptyMetadata,
  forgetTopics,
  reduceMetadata,
  type ClusterMetadata,
  type LeaderHint,
  type MetadataChange,
  type MetadataUpdate,
  type NodeEndpoint,
  type TopicMetadata,
} from './metadata.js';
import type { ClusterOptions } from './options.js';

const { Metadata } = apis;
const FIRST_VERSION_THAT_CAN_ASK_FOR_NOTHING = 1;
const REBOOTSTRAP_REQUIRED = 129;

export type MetadataListener = (
  metadata: ClusterMetadata,
  changes: readonly MetadataChange[],
) => void;

interface Waiter {
  readonly topics: readonly string[];
  readonly resolve: (metadata: ClusterMetadata) => void;
  readonly reject: (error: Error) => void;
  stop: () => void;
}

/**
 * Keeps what is known of the cluster up to date: asks when something is needed or out of date, one
 * request at a time, and only for topics that somebody uses.
 */
export class MetadataKeeper {
  current = emptyMetadata;
  /** On the monotonic clock; `undefined` before the first answer. */
  updatedAt: number | undefined;
  private readonly usedAt = new Map<string, number>();
  private readonly listeners = new Set<MetadataListener>();
  private readonly waiters = new Set<Waiter>();
  private isAsking = false;
  private isWanted = false;
  private failures = 0;
  private lastFailure: unknown;
  /** Since when no broker has answered; `undefined` while they do. */
  private silentSince: number | undefined;
  private cancelTimer: Cancel | undefined;
  private isClosed = false;

  constructor(
    private readonly options: ClusterOptions,
    private readonly pool: BrokerPool,
  ) {}

  /** What is known of a topic, which counts as used from now on. */
  topic(name: string): TopicMetadata | undefined {
    this.usedAt.set(name, this.options.clock.monotonic());
    return this.current.topics.get(name);
  }

  listen(listener: MetadataListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Asks soon, unless that is under way. */
  request(): void {
    this.isWanted = true;
    this.ask();
  }

  /** Waits until every topic is known, or known to be out of reach. */
  ensure(
    topics: readonly string[],
    { deadline, signal }: { deadline: number; signal?: AbortSignal },
  ): Promise<ClusterMetadata> {
    for (const name of topics) this.topic(name);
    if (this.knowsAll(topics)) return Promise.resolve(this.current);
    return new Promise((resolve, reject) => {
      const { clock } = this.options;
      const waiter: Waiter = { topics, resolve, reject, stop: () => undefined };
      const giveUp = (error: Error) => {
        this.waiters.delete(waiter);
        waiter.stop();
        reject(error);
      };
      const abort = () => giveUp(new KafkaError('The wait was aborted', { code: 'ABORTED' }));
      const cancel = clock.schedule(Math.max(0, deadline - clock.monotonic()), () =>
        giveUp(this.timedOut(topics)),
      );
      signal?.addEventListener('abort', abort, { once: true });
      waiter.stop = () => {
        cancel();
        signal?.removeEventListener('abort', abort);
      };
      this.waiters.add(waiter);
      this.request();
    });
  }

  /** Takes a leader in that a refusal has named. */
  hint(hint: LeaderHint, endpoints: readonly NodeEndpoint[]): void {
    this.apply(applyLeaderHint(this.current, hint, endpoints));
  }

  close(error: Error): void {
    this.isClosed = true;
    this.cancelTimer?.();
    for (const waiter of this.waiters) {
      waiter.stop();
      waiter.reject(error);
    }
    this.waiters.clear();
    this.listeners.clear();
  }

  private ask(): void {
    if (this.isAsking || this.isClosed) return;
    this.isAsking = true;
    this.isWanted = false;
    this.cancelTimer?.();
    this.fetch().then(
      () => this.asked(undefined),
      (error: unknown) => this.asked(error),
    );
  }

  private asked(failure: unknown): void {
    this.isAsking = false;
    if (this.isClosed) return;
    const { clock, retryBackoffMs, retryBackoffMaxMs, metadataMaxAgeMs } = this.options;
    if (failure !== undefined) {
      this.failures++;
      this.lastFailure = failure;
      this.considerRebootstrap();
    }
    const isWanting = failure !== undefined || this.isWanted || this.waiters.size > 0;
    const attempts = failure === undefined ? 0 : this.failures - 1;
    const waitMs = isWanting
      ? backoffMs(attempts, retryBackoffMs, retryBackoffMaxMs, clock.random())
      : metadataMaxAgeMs;
    if (isWanting || this.usedAt.size > 0)
      this.cancelTimer = clock.schedule(waitMs, () => this.ask());
  }

  private async fetch(): Promise<void> {
    const { clock, allowAutoCreateTopics, metadataMaxIdleMs } = this.options;
    const channel = this.pool.channel(this.pool.any(), 'control');
    await channel.ready();
    const version = channel.version(Metadata);
    const oldest = clock.monotonic() - metadataMaxIdleMs;
    const awaited = new Set([...this.waiters].flatMap(({ topics }) => topics));
    for (const [name, usedAt] of this.usedAt) {
      if (usedAt < oldest && !awaited.has(name)) this.usedAt.delete(name);
    }
    const names = [...this.usedAt.keys()];
    const asksForAll = names.length === 0 && version < FIRST_VERSION_THAT_CAN_ASK_FOR_NOTHING;
    const answer = await channel.send(Metadata, version, {
      topics: asksForAll ? [] : names.map((name) => ({ name })),
      ...(version >= 4 && { allowAutoTopicCreation: allowAutoCreateTopics }),
    });
    if (answer.errorCode === REBOOTSTRAP_REQUIRED) {
      this.rebootstrap('the cluster asked for it');
      return;
    }
    const error = brokerError(answer.errorCode);
    if (error.code !== 0) throw new KafkaError(error.message, { code: error.name });
    this.failures = 0;
    this.silentSince = undefined;
    this.updatedAt = clock.monotonic();
    const update = reduceMetadata(this.current, answer, version);
    const metadata = forgetTopics(update.metadata, (name) => this.usedAt.has(name));
    this.apply({ metadata, changes: update.changes });
  }

  private apply({ metadata, changes }: MetadataUpdate): void {
    this.current = metadata;
    if (changes.length > 0) this.options.onEvent({ type: 'metadata-changed', changes });
    if (changes.some(({ type }) => type === 'brokers')) {
      // The bootstrap connection has done its work as soon as real brokers are known.
      this.pool.prune((id) => metadata.brokers.size === 0 || metadata.brokers.has(id));
    }
    for (const listener of [...this.listeners]) listener(metadata, changes);
    for (const waiter of [...this.waiters]) {
      if (!this.knowsAll(waiter.topics)) continue;
      this.waiters.delete(waiter);
      waiter.stop();
      waiter.resolve(metadata);
    }
  }

  private knowsAll(topics: readonly string[]): boolean {
    return topics.every((name) => {
      const topic = this.current.topics.get(name);
      if (topic === undefined) return false;
      if (topic.partitions.some(({ leader }) => leader >= 0)) return true;
      return topic.errorCode !== 0 && !brokerError(topic.errorCode).isRetriable;
    });
  }

  /** No known broker answers, or not for too long: start again from the beginning (KIP-899, 1102). */
  private considerRebootstrap(): void {
    const { clock, metadataRecoveryStrategy, metadataRecoveryRebootstrapTriggerMs } = this.options;
    const now = clock.monotonic();
    this.silentSince ??= now;
    if (metadataRecoveryStrategy === 'none' || this.current.brokers.size === 0) return;
    const allFail = this.pool.usableIds().every((id) => this.pool.channel(id, 'control').isFailing);
    if (allFail) this.rebootstrap('no known broker can be reached');
    else if (now - this.silentSince >= metadataRecoveryRebootstrapTriggerMs) {
      this.rebootstrap('no broker has told about the cluster for too long');
    }
  }

  private rebootstrap(reason: string): void {
    this.silentSince = undefined;
    this.current = { ...this.current, brokers: new Map() };
    this.pool.prune(() => false);
    this.isWanted = true;
    this.options.onEvent({ type: 'rebootstrapped', reason });
  }

  private timedOut(topics: readonly string[]): TimeoutError {
    const missing = topics.filter((name) => !this.knowsAll([name]));
    const reasons = missing.map((name) => {
      const code = this.current.topics.get(name)?.errorCode;
      return code === undefined || code === 0 ? name : `${name} (${brokerError(code).name})`;
    });
    const cause = this.failures > 0 ? this.lastFailure : undefined;
    const why = cause instanceof Error ? `; the last attempt failed: ${cause.message}` : '';
    return new TimeoutError(`No broker told in time where to find ${reasons.join(', ')}${why}`, {
      cause,
    });
  }
}
