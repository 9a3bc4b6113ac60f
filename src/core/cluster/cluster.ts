import {
  brokerError,
  type ApiOrName,
  type BrokerError,
  type RequestInput,
  type Resolved,
  type ResponseOf,
  resolveApi,
  type Api,
} from '../protocol/index.js';
import type { Metrics } from '../metrics/index.js';
import type { BrokerCapabilities } from '../network/index.js';
import { backoffMs } from '../util/backoff.js';
import { KafkaError, TimeoutError } from '../util/errors.js';
import { BrokerPool, type Owner } from './broker-pool.js';
import type { BrokerChannel, Purpose } from './channel.js';
import { MetadataKeeper, type MetadataListener } from './metadata-keeper.js';
import type { ClusterMetadata, LeaderHint, NodeEndpoint, TopicMetadata } from './metadata.js';
import { ClientTraffic } from './metrics.js';
import type { ClusterOptions } from './options.js';
import { purposeOf, Routing, type AttemptBounds, type Route } from './routing.js';
import { clientClosed, pause, within } from './wait.js';

export interface RequestOptions {
  /** The version to use. Default the newest that both sides have. */
  readonly version?: number | undefined;
  /** Newest version to use, where a rule of the protocol forbids later ones. */
  readonly maxVersion?: number | undefined;
  /** Time for all attempts together, in ms. Default `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Which connection to use, for a request that must neither wait for others nor hold them up. */
  readonly purpose?: Purpose | undefined;
  /** Retriable errors, by name, that the caller finds in the answer and deals with himself. */
  readonly handsBack?: ReadonlySet<string> | undefined;
  /** Told of each attempt that failed and will be repeated. */
  readonly onRetry?: ((reason: KafkaError) => void) | undefined;
}

/** A body, or how to make it for the version that was negotiated. */
export type RequestBody<A extends ApiOrName> =
  RequestInput<Resolved<A>> | ((version: number) => RequestInput<Resolved<A>>);

const NONE = 0;

/** Long polls and joins block a connection: consumers must not wait for one another. */
const ownOfConsumers: ReadonlySet<Purpose> = new Set(['fetch', 'coordinator', 'join']);
/** Brokers take the requests of a connection one at a time, and each step of a transaction waits for a log. */
const ownOfTransactions: ReadonlySet<Purpose> = new Set(['produce', 'coordinator']);

/**
 * A cluster as one client sees it: what is known of it, the ways to its brokers, and the one place
 * that sends requests with routing, version negotiation, retries and a deadline. Nothing connects
 * until something is asked.
 */
export class Cluster {
  private readonly pool: BrokerPool;
  private readonly keeper: MetadataKeeper;
  private readonly routing: Routing;
  /** What goes over the connections of this one and of all that share them. */
  private readonly traffic: ClientTraffic;
  /** Whose the connections are that are this one's own. */
  private readonly owner: Owner;
  private readonly abort = new AbortController();
  private owners = 0;

  /**
   * @param root the cluster whose knowledge and connections this one shares.
   * @param ownPurposes what it has connections of its own for.
   */
  constructor(
    private readonly options: ClusterOptions,
    private readonly root?: Cluster,
    private readonly ownPurposes?: ReadonlySet<Purpose>,
  ) {
    this.traffic = root?.traffic ?? new ClientTraffic(options.clock);
    this.owner = (root ?? this).newOwner(this.abort.signal);
    if (root === undefined) {
      this.pool = new BrokerPool(
        options,
        () => this.keeper.current,
        this.owner,
        () => this.keeper.requestIfUsed(),
      );
      this.keeper = new MetadataKeeper(options, this.pool);
      const { clock, requestTimeoutMs } = options;
      this.routing = new Routing(clock, requestTimeoutMs, this.pool, this.keeper);
    } else {
      ({ pool: this.pool, keeper: this.keeper, routing: this.routing } = root);
    }
  }

  private newOwner(closing: AbortSignal): Owner {
    const traffic = new ClientTraffic(this.options.clock, this.traffic);
    return { id: this.owners++, traffic, closing };
  }

  /** The same cluster with connections of its own for fetches and for coordinators. Close it when done. */
  forConsumer(): Cluster {
    return new Cluster(this.options, this.root ?? this, ownOfConsumers);
  }

  /** The same cluster with connections of its own for records and for coordinators. Close it when done. */
  forTransactions(): Cluster {
    return new Cluster(this.options, this.root ?? this, ownOfTransactions);
  }

  /** What is known now. */
  get metadata(): ClusterMetadata {
    return this.keeper.current;
  }

  /** How old that may become before it is asked for anew. */
  get metadataMaxAgeMs(): number {
    return this.options.metadataMaxAgeMs;
  }

  /** How long ago that was told; `NaN` when nothing was yet. */
  get metadataAgeMs(): number {
    const { updatedAt } = this.keeper;
    return updatedAt === undefined ? NaN : this.options.clock.monotonic() - updatedAt;
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

  /** Waits for what a broker tells from now on. @throws TimeoutError */
  refresh(options: {
    /** On the monotonic clock. */
    readonly deadline: number;
    readonly signal?: AbortSignal;
  }): Promise<ClusterMetadata> {
    return this.keeper.refresh(options);
  }

  /** Figures about all connections of the client, by Kafka's names. */
  metrics(): Metrics {
    const groups = this.traffic.snapshot('client');
    const whole = groups['client-metrics'];
    return {
      ...groups,
      'client-metrics': { ...whole, 'metadata-age': this.metadataAgeMs / 1000 },
    };
  }

  /** Figures about the connections that a handle has to itself, or of those that all share. */
  connectionMetrics(prefix: 'consumer' | 'producer'): Metrics {
    return this.owner.traffic.snapshot(prefix);
  }

  /** Asks for what is out of date, soon and once. */
  requestMetadataUpdate(): void {
    this.keeper.request();
  }

  /** Believes nothing any more of what was told of topics, and asks soon: it may have changed. */
  askAnewOf(topics: readonly string[]): void {
    this.keeper.askAnew(topics);
  }

  /** Takes in a leader that a refused request was told of (KIP-951). */
  hint(hint: LeaderHint, endpoints: readonly NodeEndpoint[]): void {
    this.keeper.hint(hint, endpoints);
  }

  /** The way to a broker for a purpose. */
  channel(nodeId: number, purpose: Purpose): BrokerChannel {
    const isOwn = this.ownPurposes?.has(purpose) === true;
    return this.pool.channel(nodeId, purpose, isOwn ? this.owner : undefined);
  }

  /**
   * Looks the coordinator of a group or transactional id up anew: an answer said that it has moved.
   *
   * @param nodeId the broker that said so; default whichever is known.
   */
  forgetCoordinator(route: Route, nodeId?: number): void {
    this.routing.forgetCoordinator(route, nodeId);
  }

  /**
   * Sends a request to who is to answer it. What retrying can cure is retried, with backoff, until
   * the time is up: brokers that can't be reached, moved coordinators, retriable errors at the top of
   * the answer. Other errors in the answer are the caller's to read.
   *
   * @throws TimeoutError whose cause is what the last attempt met, UnsupportedVersionError, or
   * whatever else retrying can't cure.
   */
  request<A extends ApiOrName>(
    route: Route,
    api: A,
    body: RequestBody<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<Resolved<A>>> {
    const { name } = resolveApi(api) as Api;
    return this.retrying(name, options, (bounds) =>
      this.attempt(route, api, body, { ...options, ...bounds }),
    );
  }

  /** What a broker can do; connects to it where that isn't known yet. */
  capabilities(route: Route, options: RequestOptions = {}): Promise<BrokerCapabilities> {
    const { purpose = purposeOf(route) } = options;
    return this.retrying('ApiVersions', options, async (bounds) => {
      const { channel } = await this.reach(route, purpose, bounds);
      return channel.capabilities!;
    });
  }

  /** Why nothing can be asked any more; `undefined` until the client is closed. */
  get closeReason(): KafkaError | undefined {
    const { signal } = (this.root ?? this).abort;
    return signal.aborted ? (signal.reason as KafkaError) : undefined;
  }

  /** Closes every connection, or those of its own; whatever waits is rejected, once. */
  close(): Promise<void> {
    const reason = clientClosed();
    this.abort.abort(reason);
    if (this.root !== undefined) {
      this.pool.release(this.owner, reason);
      return Promise.resolve();
    }
    this.keeper.close(reason);
    this.pool.close(reason);
    return Promise.resolve();
  }

  private async retrying<T>(
    name: string,
    { timeoutMs = this.options.requestTimeoutMs, signal, onRetry }: RequestOptions,
    attempt: (bounds: AttemptBounds) => Promise<T>,
  ): Promise<T> {
    const { clock, retryBackoffMs, retryBackoffMaxMs } = this.options;
    const deadline = clock.monotonic() + timeoutMs;
    const signals = [this.abort.signal, this.root?.abort.signal, signal];
    let last: KafkaError | undefined;
    const time = { isUp: false };
    const onTimeout = () => {
      time.isUp = true;
      return timedOut(name, timeoutMs, last);
    };
    for (let failures = 0; ; failures++) {
      try {
        const leftMs = deadline - clock.monotonic();
        const bounds = { clock, timeoutMs: leftMs, signals, onTimeout };
        return await within(attempt({ deadline, signal }), bounds);
      } catch (error) {
        if (time.isUp || !(error instanceof KafkaError) || !error.isRetriable) throw error;
        last = error;
      }
      const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
      if (clock.monotonic() + waitMs >= deadline) throw onTimeout();
      onRetry?.(last);
      await pause(clock, waitMs, signals);
    }
  }

  /** Sends a request once. Retriable errors at the top of the answer are thrown. */
  private async attempt<A extends ApiOrName>(
    route: Route,
    api: A,
    body: RequestBody<A>,
    {
      version,
      maxVersion,
      purpose = purposeOf(route),
      handsBack,
      deadline,
      signal,
    }: Omit<RequestOptions, 'signal'> & AttemptBounds,
  ): Promise<ResponseOf<Resolved<A>>> {
    const { clock, requestTimeoutMs } = this.options;
    const { nodeId, channel } = await this.reach(route, purpose, { deadline, signal });
    let answer: ResponseOf<Resolved<A>>;
    try {
      // A caller in a hurry gives up by himself: a connection is given up only when it is dead.
      const timeoutMs = Math.max(requestTimeoutMs, deadline - clock.monotonic());
      const chosen = version ?? channel.version(api, maxVersion);
      const message = typeof body === 'function' ? body(chosen) : body;
      answer = await channel.send(api, chosen, message, timeoutMs);
    } catch (error) {
      this.routing.noteUnreachable(route, nodeId);
      throw error;
    }
    const { errorCode = NONE } = answer as { errorCode?: number };
    const error = brokerError(errorCode);
    if (!error.isRetriable || handsBack?.has(error.name) === true) return answer;
    this.routing.noteRefusal(route, nodeId, error);
    throw refusal(error);
  }

  /** The way to who is to answer, open. @throws KafkaError also once nobody waits for it any more. */
  private async reach(
    route: Route,
    purpose: Purpose,
    bounds: AttemptBounds,
  ): Promise<{ readonly nodeId: number; readonly channel: BrokerChannel }> {
    const nodeId = await this.routing.resolve(route, bounds);
    const channel = this.channel(nodeId, purpose);
    try {
      await channel.ready();
    } catch (error) {
      this.routing.noteUnreachable(route, nodeId);
      throw error;
    }
    // Whoever was told that it failed must not have it done afterwards: a commit, a join.
    if (this.isGivenUp(bounds)) throw tooLate();
    return { nodeId, channel };
  }

  private isGivenUp({ deadline, signal }: AttemptBounds): boolean {
    const signals = [this.abort.signal, this.root?.abort.signal, signal];
    const isCalledOff = signals.some((each) => each?.aborted === true);
    return isCalledOff || this.options.clock.monotonic() >= deadline;
  }
}

/** Nobody hears it, but where the clock runs ahead of the timers. */
function tooLate(): KafkaError {
  return new TimeoutError('there was no time left to send it');
}

function refusal({ name, message }: BrokerError): KafkaError {
  return new KafkaError(`the broker said ${name}: ${message}`, { code: name, isRetriable: true });
}

function timedOut(api: string, timeoutMs: number, cause: unknown): TimeoutError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new TimeoutError(`${api} did not succeed within ${timeoutMs} ms${why}`, {
    context: { api },
    cause,
  });
}
