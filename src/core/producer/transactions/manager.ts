import type { Cluster } from '../../cluster/index.js';
import { unreachable } from '../../util/assert.js';
import { backoffMs } from '../../util/backoff.js';
import type { Cancel, Clock } from '../../util/clock.js';
import { KafkaError, TimeoutError } from '../../util/errors.js';
import { Queue } from '../../util/queue.js';
import { producerClosed } from '../errors.js';
import type { ProducerEvent } from '../events.js';
import type { Identities } from '../identity.js';
import type { PartitionQueue } from '../partition-queue.js';
import type { ProducerIdentity } from '../sequences.js';
import { TransactionCoordinator, type TransactionSupport } from './coordinator.js';
import { Deferred } from './deferred.js';
import { aborted, alreadyInTransaction, commitInDoubt, notInTransaction } from './errors.js';
import type { TransactionGate } from './gate.js';
import { mayAdd, mayTakeRecords, reduceTransaction } from './reduce.js';
import {
  initialState,
  type TransactionEffect,
  type TransactionGroup,
  type TransactionInput,
  type TransactionOffset,
  type TransactionPhase,
  type TransactionProtocol,
  type TransactionRequest,
  type TransactionState,
} from './state.js';

export interface TransactionManagerOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxBlockMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
}

/** What a {@link TransactionManager} asks of, and tells, the producer it belongs to. */
export interface TransactionHooks {
  /** What records wait for may have come. */
  wake(): void;
  /** Records that were not sent yet will not be. */
  giveUpUnsent(error: KafkaError): void;
  /** Resolves when everything that was sent is answered. */
  flush(): Promise<void>;
  /** Nothing more can be written. */
  failed(error: KafkaError): void;
  emit(event: ProducerEvent): void;
}

/** The end of a transaction that is under way. */
interface Ending {
  readonly how: 'commit' | 'abort';
  readonly outcome: Deferred;
}

/** Wait for the markers of the last transaction, where nothing else keeps the next one. */
const SOON_MS = 20;

/**
 * The shell around the state machine of transactions: carries its effects out, one after the other,
 * and keeps the promises of those who wait.
 */
export class TransactionManager implements Identities, TransactionGate {
  private state: TransactionState;
  private readonly coordinator: TransactionCoordinator;
  private readonly inputs = new Queue<TransactionInput>();
  private isRunning = false;
  private readonly abortController = new AbortController();
  private cancelRetry: Cancel = () => undefined;
  private initializing: Deferred | undefined;
  private ending: Ending | undefined;
  private isBeginning = false;
  private readonly sending = new Map<number, Deferred>();
  private nextOperation = 0;
  private known: TransactionSupport | undefined;

  constructor(
    cluster: Cluster,
    private readonly clock: Clock,
    private readonly options: TransactionManagerOptions,
    private readonly hooks: TransactionHooks,
  ) {
    this.state = initialState(options.transactionalId);
    const { signal } = this.abortController;
    this.coordinator = new TransactionCoordinator(cluster, { ...options, signal });
  }

  get transactionalId(): string {
    return this.options.transactionalId;
  }

  get phase(): TransactionPhase {
    return this.state.phase;
  }

  /** What the brokers can do; known once the id was taken over. */
  get support(): TransactionSupport | undefined {
    return this.known;
  }

  get protocol(): TransactionProtocol {
    return this.state.protocol;
  }

  // ---- for sending

  get current(): ProducerIdentity | undefined {
    return this.state.identity;
  }

  get isPending(): boolean {
    switch (this.state.phase) {
      case 'IN_TRANSACTION':
      case 'COMMITTING':
      case 'ABORTING':
      case 'ABORTABLE_ERROR':
        return false;
      default:
        return true;
    }
  }

  bumpFrom(): void {
    // The end of the transaction brings a new epoch, nothing else.
  }

  maySend(queue: PartitionQueue): boolean {
    // What was numbered goes to its end: the numbers of those behind depend on it.
    if (queue.peek()?.hasSequence === true) return !this.isPending;
    if (!mayTakeRecords(this.state)) return false;
    const { protocol, partitions } = this.state;
    if (partitions.has(queue.name)) return true;
    if (protocol === 2) return mayAdd(this.state);
    const { topic, partition } = queue;
    this.dispatch({ type: 'touched', topic, partition });
    return false;
  }

  sent(queues: readonly PartitionQueue[]): boolean {
    const { hasBegun, partitions, protocol } = this.state;
    const isAdding = protocol === 2 && queues.some(({ name }) => !partitions.has(name));
    if (!hasBegun || isAdding) this.dispatch({ type: 'sent', isAdding });
    return isAdding;
  }

  added(queues: readonly PartitionQueue[]): void {
    this.dispatch({ type: 'added', names: queues.map(({ name }) => name) });
  }

  recordFailed(error: KafkaError): void {
    this.dispatch({ type: 'record-failed', error });
  }

  numberingLost(error: KafkaError): void {
    this.dispatch({ type: 'numbering-lost', error });
  }

  /** Why a record can't be taken now; `undefined` when it can. */
  refusal(): KafkaError | undefined {
    const { phase, error } = this.state;
    if (mayTakeRecords(this.state)) return undefined;
    if (phase === 'FATAL_ERROR') return error;
    if (phase === 'ABORTABLE_ERROR' || phase === 'ABORTING') {
      return aborted(this.transactionalId, error);
    }
    return notInTransaction(this.transactionalId);
  }

  // ---- for those who use it

  /** Fences predecessors. A call that took too long goes on behind, for the next one to find. */
  async init(): Promise<void> {
    if (this.isClosed) throw producerClosed();
    const { maxBlockMs } = this.options;
    if (this.initializing === undefined) {
      const initializing = (this.initializing = new Deferred());
      void this.coordinator.support(maxBlockMs).then(
        (support) => {
          this.known = support;
          this.dispatch({ type: 'init', ...support });
        },
        (error: unknown) => {
          // The next call tries again.
          this.initializing = undefined;
          initializing.reject(error as KafkaError);
        },
      );
    }
    await this.within(this.initializing.promise, maxBlockMs);
  }

  async begin(): Promise<void> {
    if (this.isClosed) throw producerClosed();
    if (this.isBeginning || this.isInTransaction) throw alreadyInTransaction(this.transactionalId);
    this.isBeginning = true;
    try {
      await this.init();
      if (this.state.phase === 'FATAL_ERROR') throw this.state.error!;
      // It may have been raised since.
      const support = await this.coordinator.support(this.options.maxBlockMs);
      this.known = support;
      this.dispatch({ type: 'begin', ...support });
      if (this.phase !== 'IN_TRANSACTION') throw this.refusal()!;
    } finally {
      this.isBeginning = false;
    }
  }

  async sendOffsets(group: TransactionGroup, offsets: readonly TransactionOffset[]): Promise<void> {
    const refusal = this.isClosed ? producerClosed() : this.refusal();
    if (refusal !== undefined) throw refusal;
    if (offsets.length === 0) return;
    const id = this.nextOperation++;
    const sending = new Deferred();
    this.sending.set(id, sending);
    this.dispatch({ type: 'offsets', operation: { id, group, offsets } });
    const { maxBlockMs } = this.options;
    const overdue = { type: 'offsets-overdue', id, maxBlockMs } as const;
    const cancel = this.clock.schedule(maxBlockMs, () => this.dispatch(overdue));
    await sending.promise.finally(cancel);
  }

  /** Resolves when the coordinator has decided so. */
  commit(): Promise<void> {
    return this.end('commit');
  }

  abort(): Promise<void> {
    return this.end('abort');
  }

  /** Ends a transaction that is under way, one way or the other. */
  async settle(): Promise<void> {
    try {
      if (this.ending !== undefined) await this.ending.outcome.promise;
      else if (this.isInTransaction) await this.abort();
    } catch {
      // Those who use the transaction are told.
    }
  }

  /** Nothing more is asked; whoever waits is told. */
  close(): void {
    this.abortController.abort();
    this.cancelRetry();
    this.ending?.outcome.reject(
      this.phase === 'COMMITTING' ? commitInDoubt(this.transactionalId) : producerClosed(),
    );
    for (const waiting of [this.initializing, ...this.sending.values()]) {
      waiting?.reject(producerClosed());
    }
  }

  private get isClosed(): boolean {
    return this.abortController.signal.aborted;
  }

  private get isInTransaction(): boolean {
    return !this.isPending || this.ending !== undefined;
  }

  private async end(how: 'commit' | 'abort'): Promise<void> {
    if (this.isClosed) throw producerClosed();
    const { ending } = this;
    if (ending === undefined) {
      const outcome = new Deferred();
      this.ending = { how, outcome };
      this.dispatch({ type: how });
      await outcome.promise;
    } else if (how === 'commit' && ending.how === 'abort') {
      throw aborted(this.transactionalId, this.state.error);
    } else {
      await ending.outcome.promise;
    }
  }

  private dispatch(input: TransactionInput): void {
    if (this.isClosed) return;
    this.inputs.push(input);
    if (this.isRunning) return;
    this.isRunning = true;
    for (let next = this.inputs.shift(); next !== undefined; next = this.inputs.shift()) {
      const { state, effects } = reduceTransaction(this.state, next);
      this.state = state;
      for (const effect of effects) this.execute(effect);
    }
    this.isRunning = false;
  }

  private execute(effect: TransactionEffect): void {
    switch (effect.type) {
      case 'send':
        this.send(effect.request);
        return;
      case 'retry-later':
        this.retryLater(effect.failures, effect.isShort);
        return;
      case 'initialized':
        this.initializing?.settle(effect.error);
        return;
      case 'ended': {
        const { ending } = this;
        this.ending = undefined;
        ending?.outcome.settle(effect.error);
        return;
      }
      case 'offsets-sent':
        this.sending.get(effect.id)?.settle(effect.error);
        this.sending.delete(effect.id);
        return;
      case 'flush':
        this.flush();
        return;
      case 'doomed':
        this.hooks.giveUpUnsent(effect.error);
        return;
      case 'failed':
        this.hooks.failed(effect.error);
        return;
      case 'wake':
        this.hooks.wake();
        return;
      case 'emit':
        this.hooks.emit(effect.event);
        return;
      default:
        unreachable(effect);
    }
  }

  private send(request: TransactionRequest): void {
    this.coordinator.send(request).then(
      (answer) => this.dispatch({ type: 'answered', request, answer }),
      (error: unknown) => this.dispatch({ type: 'unanswered', request, error: asError(error) }),
    );
  }

  private flush(): void {
    const { phase } = this.state;
    void this.hooks.flush().then(() => {
      if (this.phase === phase) this.dispatch({ type: 'drained' });
    });
  }

  private retryLater(failures: number, isShort: boolean): void {
    const { retryBackoffMs, retryBackoffMaxMs } = this.options;
    const firstMs = isShort ? Math.min(SOON_MS, retryBackoffMs) : retryBackoffMs;
    const waitMs = backoffMs(failures - 1, firstMs, retryBackoffMaxMs, this.clock.random());
    this.cancelRetry = this.clock.schedule(waitMs, () => this.dispatch({ type: 'retry-due' }));
  }

  private async within(task: Promise<void>, timeoutMs: number): Promise<void> {
    let cancel: Cancel = () => undefined;
    const timedOut = new Promise<never>((_, reject) => {
      cancel = this.clock.schedule(timeoutMs, () =>
        reject(initTimedOut(this.transactionalId, timeoutMs)),
      );
    });
    try {
      await Promise.race([task, timedOut]);
    } finally {
      cancel();
    }
  }
}

function initTimedOut(transactionalId: string, maxBlockMs: number): TimeoutError {
  return new TimeoutError(
    `No coordinator has answered for the transactional id '${transactionalId}' within maxBlockMs ` +
      `(${maxBlockMs} ms); are the brokers reachable, and is another transaction of it still being ended?`,
    { code: 'INIT_TIMED_OUT' },
  );
}

function asError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  return new KafkaError(`A transaction failed: ${String(error)}`, {
    code: 'TRANSACTION_FAILED',
    cause: error,
  });
}
