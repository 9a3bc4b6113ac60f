import {
  apis,
  brokerError,
  type ApiOrName,
  type BrokerError,
  type RequestInput,
  type Resolved,
  type ResponseOf,
  resolveApi,
  type Api,
} from '../protocol/index.js';
import type { BrokerCapabilities } from '../network/index.js';
import { backoffMs } from '../util/backoff.js';
import { KafkaError, TimeoutError } from '../util/errors.js';
import { BrokerPool, SHARED } from './broker-pool.js';
import type { BrokerChannel, Purpose } from './channel.js';
import { Coordinators, type CoordinatorKind } from './coordinators.js';
import { MetadataKeeper, type MetadataListener } from './metadata-keeper.js';
import type { ClusterMetadata, LeaderHint, NodeEndpoint, TopicMetadata } from './metadata.js';
import type { ClusterOptions } from './options.js';

/** Who is to answer a request. */
export type Route =
  | 'any'
  | 'controller'
  | { readonly node: number }
  | { readonly group: string }
  | { readonly transactionalId: string }
  | { readonly leader: { readonly topic: string; readonly partition: number } };

export interface RequestOptions {
  /** Newest version to use, where a rule of the protocol forbids later ones. */
  readonly maxVersion?: number;
  /** Time for all attempts together, in ms. Default `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Which connection to use, for a request that must neither wait for others nor hold them up. */
  readonly purpose?: Purpose;
  /** Told of each attempt that failed and will be repeated. */
  readonly onRetry?: (reason: KafkaError) => void;
}

/** A body, or how to make it for the version that was negotiated. */
export type RequestBody<A extends ApiOrName> =
  RequestInput<Resolved<A>> | ((version: number) => RequestInput<Resolved<A>>);

const NONE = 0;

/**
 * A cluster as one client sees it: what is known of it, the ways to its brokers, and the one place
 * that sends requests with routing, version negotiation, retries and a deadline. Nothing connects
 * until something is asked.
 */
export class Cluster {
  private readonly pool: BrokerPool;
  private readonly keeper: MetadataKeeper;
  private readonly coordinators: Coordinators;
  private readonly abort = new AbortController();
  private nextOwner = SHARED + 1;

  /**
   * @param root the cluster whose knowledge and connections this one shares.
   * @param owner whose the connections are that may be blocked for long.
   */
  constructor(
    private readonly options: ClusterOptions,
    private readonly root?: Cluster,
    private readonly owner = SHARED,
  ) {
    if (root === undefined) {
      this.pool = new BrokerPool(options, () => this.keeper.current);
      this.keeper = new MetadataKeeper(options, this.pool);
      this.coordinators = new Coordinators((kind, key, signal) => this.lookUp(kind, key, signal));
    } else {
      ({ pool: this.pool, keeper: this.keeper, coordinators: this.coordinators } = root);
    }
  }

  /**
   * The same cluster with connections of its own for fetches and for coordinators: long polls and
   * joins block a connection, and consumers must not wait for one another. Close it when done.
   */
  forConsumer(): Cluster {
    const root = this.root ?? this;
    return new Cluster(this.options, root, root.nextOwner++);
  }

  /** What is known now. */
  get metadata(): ClusterMetadata {
    return this.keeper.current;
  }

  /** When that was told, on the monotonic clock. */
  get metadataUpdatedAt(): number | undefined {
    return this.keeper.updatedAt;
  }

  /** Calls back after every update, also one that changed nothing. Returns how to stop that. */
  onMetadata(listener: MetadataListener): () => void {
    return this.keeper.listen(listener);
  }

  /** What is known of a topic, which counts as used from now on. */
  topic(name: string): TopicMetadata | undefined {
    return this.keeper.topic(name);
  }

  /**
   * Waits until every topic is known: with a leader for a partition at least, or with an error that
   * waiting doesn't cure.
   *
   * @throws TimeoutError naming the topics, and what kept them from being found.
   */
  ensureTopics(
    names: readonly string[],
    options: { readonly deadline: number; readonly signal?: AbortSignal },
  ): Promise<ClusterMetadata> {
    return this.keeper.ensure(names, options);
  }

  /** Asks for what is out of date, soon and once. */
  requestMetadataUpdate(): void {
    this.keeper.request();
  }

  /** Takes in a leader that a refused request was told of (KIP-951). */
  hint(hint: LeaderHint, endpoints: readonly NodeEndpoint[]): void {
    this.keeper.hint(hint, endpoints);
  }

  /** The way to a broker for a purpose. */
  channel(nodeId: number, purpose: Purpose): BrokerChannel {
    const isOwn = purpose === 'fetch' || purpose === 'coordinator' || purpose === 'join';
    return this.pool.channel(nodeId, purpose, isOwn ? this.owner : SHARED);
  }

  /** The broker that coordinates a group or a transactional id. */
  coordinator(kind: CoordinatorKind, key: string): Promise<number> {
    return this.coordinators.find(kind, key, this.abort.signal);
  }

  /**
   * Sends a request to who is to answer it. What retrying can cure is retried, with backoff, until
   * the time is up: brokers that can't be reached, moved coordinators, retriable errors at the top of
   * the answer. Other errors in the answer are the caller's to read.
   *
   * @throws TimeoutError whose cause is what the last attempt met, UnsupportedVersionError, or
   * whatever else retrying can't cure.
   */
  async request<A extends ApiOrName>(
    route: Route,
    api: A,
    body: RequestBody<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<Resolved<A>>> {
    const { name } = resolveApi(api) as Api;
    return this.insist(route, name, options, async (channel, leftMs) => {
      const version = channel.version(api, options.maxVersion);
      const input = typeof body === 'function' ? body(version) : body;
      const answer = await channel.send(api, version, input, leftMs);
      const error = brokerError((answer as { errorCode?: number }).errorCode ?? NONE);
      if (!error.isRetriable) return answer;
      this.noteError(route, error);
      return new Refusal(error);
    });
  }

  /** What the broker that answers for a route can do; connects to it if need be. */
  capabilities(route: Route, options: RequestOptions = {}): Promise<BrokerCapabilities> {
    return this.insist(route, 'ApiVersions', options, (channel) =>
      Promise.resolve(channel.capabilities!),
    );
  }

  /** Tries until it succeeds, can't succeed, or the time is up. */
  private async insist<T>(
    route: Route,
    name: string,
    {
      timeoutMs = this.options.requestTimeoutMs,
      purpose = purposeOf(route),
      signal,
      onRetry,
    }: RequestOptions,
    attempt: (channel: BrokerChannel, leftMs: number) => Promise<T | Refusal>,
  ): Promise<T> {
    const { clock, retryBackoffMs, retryBackoffMaxMs } = this.options;
    const deadline = clock.monotonic() + timeoutMs;
    for (let failures = 0; ; failures++) {
      let last: KafkaError;
      try {
        const nodeId = await this.resolve(route);
        // What is closed must not open connections again.
        if (this.abort.signal.aborted) throw clientClosed();
        const channel = this.channel(nodeId, purpose);
        await channel.ready();
        const result = await attempt(channel, Math.max(1, deadline - clock.monotonic()));
        if (!(result instanceof Refusal)) return result;
        last = result.reason;
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.isRetriable) throw error;
        this.noteFailure(route);
        last = error;
      }
      if (signal?.aborted === true || this.abort.signal.aborted) throw clientClosed();
      const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
      if (clock.monotonic() + waitMs >= deadline) throw timedOut(name, timeoutMs, last);
      onRetry?.(last);
      await this.pause(waitMs, signal);
    }
  }

  /** Closes every connection, or the own ones of a consumer; whatever waits is rejected, once. */
  close(): Promise<void> {
    this.abort.abort();
    if (this.root !== undefined) {
      this.pool.release(this.owner);
      return Promise.resolve();
    }
    this.keeper.close(clientClosed());
    this.pool.close();
    return Promise.resolve();
  }

  private async resolve(route: Route): Promise<number> {
    if (route === 'any') return this.pool.any();
    if (route === 'controller') {
      const { controllerId, brokers } = this.metadata;
      if (brokers.has(controllerId)) return controllerId;
      this.keeper.request();
      return this.pool.any();
    }
    if ('node' in route) return route.node;
    if ('group' in route) return this.coordinator('group', route.group);
    if ('transactionalId' in route) return this.coordinator('transaction', route.transactionalId);
    const { topic, partition } = route.leader;
    const leader = this.topic(topic)?.partitions[partition]?.leader ?? -1;
    if (leader >= 0) return leader;
    this.keeper.request();
    throw new KafkaError(`${topic}-${partition} has no leader`, {
      code: 'LEADER_NOT_AVAILABLE',
      isRetriable: true,
    });
  }

  private noteError(route: Route, error: BrokerError): void {
    const isMoved = error.name === 'NOT_COORDINATOR' || error.name === 'COORDINATOR_NOT_AVAILABLE';
    if (isMoved) this.forgetCoordinator(route);
    if (error.refreshesMetadata || error.name === 'NOT_CONTROLLER') this.keeper.request();
  }

  private noteFailure(route: Route): void {
    this.forgetCoordinator(route);
    if (route !== 'any') this.keeper.request();
  }

  /** Looks the coordinator of a group or transactional id up anew: an answer said that it has moved. */
  forgetCoordinator(route: Route): void {
    if (typeof route === 'string') return;
    if ('group' in route) this.coordinators.forget('group', route.group);
    if ('transactionalId' in route) this.coordinators.forget('transaction', route.transactionalId);
  }

  private async lookUp(kind: CoordinatorKind, key: string, signal: AbortSignal): Promise<number> {
    const keyType = kind === 'group' ? 0 : 1;
    const channel = this.pool.channel(this.pool.any(), 'control');
    await channel.ready();
    const version = channel.version(apis.FindCoordinator);
    if (signal.aborted) throw clientClosed();
    const isBatched = version >= 4;
    const answer = await channel.send(
      apis.FindCoordinator,
      version,
      isBatched ? { keyType, coordinatorKeys: [key] } : { keyType, key },
    );
    const found = isBatched ? answer.coordinators[0] : answer;
    const error = brokerError(found?.errorCode ?? 15);
    if (error.code !== NONE || found === undefined) {
      const text = `Cannot find the coordinator of ${kind} '${key}': ${error.message}`;
      throw new KafkaError(text, { code: error.name, isRetriable: error.isRetriable });
    }
    if (!this.metadata.brokers.has(found.nodeId)) this.keeper.request();
    return found.nodeId;
  }

  private pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const signals = [this.abort.signal, ...(signal === undefined ? [] : [signal])];
      const done = (act: () => void) => {
        cancel();
        for (const each of signals) each.removeEventListener('abort', stop);
        act();
      };
      const stop = () => done(() => reject(clientClosed()));
      const cancel = this.options.clock.schedule(waitMs, () => done(resolve));
      for (const each of signals) each.addEventListener('abort', stop, { once: true });
    });
  }
}

/** An answer with an error that may pass. */
class Refusal {
  readonly reason: KafkaError;

  constructor({ name, message }: BrokerError) {
    this.reason = new KafkaError(`the broker said ${name}: ${message}`, {
      code: name,
      isRetriable: true,
    });
  }
}

function purposeOf(route: Route): Purpose {
  if (typeof route === 'string') return 'control';
  return 'group' in route || 'transactionalId' in route ? 'coordinator' : 'control';
}

function clientClosed(): KafkaError {
  return new KafkaError('The client is closed', { code: 'CLIENT_CLOSED' });
}

function timedOut(api: string, timeoutMs: number, cause: unknown): TimeoutError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new TimeoutError(`${api} did not succeed within ${timeoutMs} ms${why}`, {
    context: { api },
    cause,
  });
}
