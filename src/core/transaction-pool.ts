import { defer, finalize, from, switchMap, type Observable, type ObservableInput } from 'rxjs';
import type { Kafka } from './kafka.js';
import {
  SERIALIZERS,
  checkProducerOptions,
  serializersOf,
  type Producer,
  type ProducerOptions,
  type SerializerOptions,
  type Transaction,
} from './producer/index.js';
import { KafkaError } from './util/errors.js';
import { custom, integer, resolveOptions } from './util/options.js';
import { Queue } from './util/queue.js';

/** How many producers a pool has, and how they are made. */
export interface TransactionPoolOptions<K, V>
  extends SerializerOptions<K, V>, Omit<ProducerOptions, 'transactionalId'> {
  /** The ids are `prefix-0`, `prefix-1`, and so on. They belong to this one running instance. */
  readonly transactionalIdPrefix: string;
  /** Transactions that may be under way at once. Default 4. */
  readonly size?: number;
}

const rules = {
  transactionalIdPrefix: custom<string>(
    '',
    'a text that is not empty',
    (value) => typeof value === 'string' && value !== '',
  ),
  size: integer(4, { min: 1, max: 1000 }),
} as const;

const ownOptions = [...Object.keys(rules), ...SERIALIZERS];

/**
 * Producers for several transactions side by side, for one producer has one at a time. Made with
 * {@link transactionPool}.
 *
 * **Guarantees.** A transaction is that of one producer, and has all the guarantees of
 * `producer.transaction()`. Of two that are under way at once, none waits for the other, and nothing is
 * said of which is committed first.
 *
 * @example
 * requests.pipe(mergeMap((request) => pool.transaction((txn) => handle(request, txn)))).subscribe();
 */
export class TransactionPool<K = unknown, V = unknown> implements AsyncDisposable {
  private readonly producers = new Set<Producer<K, V>>();
  private readonly free: Producer<K, V>[] = [];
  private readonly waiting = new Queue<{
    readonly resolve: (producer: Producer<K, V>) => void;
    readonly reject: (error: unknown) => void;
  }>();
  private failure: KafkaError | undefined;
  private lostCount = 0;

  /** @internal */
  constructor(
    private readonly make: (index: number) => Producer<K, V>,
    private readonly size: number,
  ) {}

  /**
   * As `producer.transaction()`, on whichever producer is free; waits while none is, in the order of
   * subscription.
   *
   * **Errors.** As `producer.transaction()`. A FencedError says that another instance has taken over
   * one of the ids: the pool goes on with the others, and fails when none is left.
   *
   * @example
   * requests.pipe(mergeMap((request) => pool.transaction((txn) => handle(request, txn)))).subscribe();
   */
  transaction<R>(project: (txn: Transaction<K, V>) => ObservableInput<R>): Observable<R> {
    return defer(() => from(this.take())).pipe(
      switchMap((producer) =>
        producer.transaction(project).pipe(finalize(() => void this.giveBack(producer))),
      ),
    );
  }

  /** Ends every transaction, and closes the producers. */
  async close(): Promise<void> {
    this.fail(poolClosed());
    await Promise.all([...this.producers].map((producer) => producer.close()));
    this.producers.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private take(): Promise<Producer<K, V>> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const free = this.free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.producers.size < this.size) {
      const producer = this.make(this.producers.size);
      this.producers.add(producer);
      return Promise.resolve(producer);
    }
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** It is free when its transaction has ended: one that was unsubscribed is still being aborted. */
  private async giveBack(producer: Producer<K, V>): Promise<void> {
    const transactions = producer.engine.transactions!;
    await transactions.settle();
    if (transactions.phase === 'FATAL_ERROR') {
      this.lost(transactions.refusal()!);
      return;
    }
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(producer);
    else next.resolve(producer);
  }

  private lost(error: KafkaError): void {
    if (++this.lostCount === this.size) this.fail(error);
  }

  private fail(error: KafkaError): void {
    this.failure ??= error;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      next.reject(this.failure);
    }
  }
}

function poolClosed(): KafkaError {
  return new KafkaError('The transaction pool is closed', { code: 'POOL_CLOSED' });
}

/**
 * A pool of transactional producers. Opens no connection until a transaction begins; close it when
 * done.
 *
 * @throws ConfigError naming an option that can't work.
 * @example
 * const pool = transactionPool(kafka, { transactionalIdPrefix: 'checkout-7', size: 8 });
 * await lastValueFrom(pool.transaction((txn) => txn.send({ topic: 'orders', value: order })));
 */
export function transactionPool<K = unknown, V = unknown>(
  kafka: Kafka,
  { transactionalIdPrefix, size, ...rest }: TransactionPoolOptions<K, V>,
): TransactionPool<K, V> {
  const options = resolveOptions('transactionPool', rules, {
    transactionalIdPrefix,
    ...(size !== undefined && { size }),
  });
  const idOf = (index: number) => `${options.transactionalIdPrefix}-${index}`;
  const { keySerializer, valueSerializer, ...producerOptions } = rest;
  serializersOf('transactionPool', keySerializer, valueSerializer);
  const first = { ...producerOptions, transactionalId: idOf(0) };
  checkProducerOptions('transactionPool', first, ownOptions);
  return new TransactionPool<K, V>(
    (index) => kafka.producer<K, V>({ ...rest, transactionalId: idOf(index) }),
    options.size,
  );
}
