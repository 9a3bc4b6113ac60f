import type { Observable, ObservableInput } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import type { Kafka } from '../../core/kafka.js';
import {
  SERIALIZERS,
  checkProducerOptions,
  Producer,
  type ProducerOptions,
  type SerializerOptions,
} from '../../core/producer/index.js';
import { ConfigError } from '../../core/util/errors.js';
import {
  badOption,
  custom,
  integer,
  oneOf,
  resolveOptions,
  type ResolvedOptions,
} from '../../core/util/options.js';
import type { OutgoingRecord } from '../../sinks/to-transaction.js';

/** What {@link transactional}'s `project` may look at besides the records. */
export interface TransactionContext {
  /** 1 for the first attempt at these records, then counting. */
  readonly attempt: number;
  /** Aborts when the attempt was given up: what is done for it counts for nothing. */
  readonly signal: AbortSignal;
}

/** Makes the outgoing records of a transaction from its incoming ones. */
export type TransactionProject<K, V, K2, V2> = (
  records: Observable<ConsumerRecord<K, V>>,
  context: TransactionContext,
) => ObservableInput<OutgoingRecord<K2, V2>>;

/** A transaction that was aborted. */
export interface TransactionAbort<K = unknown, V = unknown> {
  /** What is to blame; the cause of a TransactionAbortedError, not that. */
  readonly error: unknown;
  /** The records that were taken, in the order in which they came. */
  readonly records: readonly ConsumerRecord<K, V>[];
  /** Which attempt at these records it was: 1 for the first. */
  readonly attempt: number;
  /** Whether the error is one that passes: of the brokers' making, not of the records'. */
  readonly isPassing: boolean;
}

/**
 * What to do after an abort:
 * - `'retry'`: the same records again, in the same order, after a backoff.
 * - `'fail'`: the stream errors; the records go back.
 * - records: written in place of the results, in a transaction that stores the same offsets: dead letters.
 */
export type AfterAbort<K2 = unknown, V2 = unknown> =
  'retry' | 'fail' | ObservableInput<OutgoingRecord<K2, V2>>;

/** Which records are one transaction, by which id, and what follows an abort; and those of its producers. */
export interface TransactionalOptions<K = unknown, V = unknown, K2 = unknown, V2 = unknown>
  extends SerializerOptions<K2, V2>, Omit<ProducerOptions, 'transactionalId'> {
  /**
   * The id of the one instance that runs; what a static member has. Whoever begins with it fences its
   * predecessor. A transaction then waits for the markers of the one before, some 20 ms: with a prefix,
   * producers take turns.
   */
  readonly transactionalId?: string;
  /**
   * What the ids of the instances begin with. `groupInstanceId` follows, or else something random for
   * each subscription: then what a crashed one left behind ends with `transactionTimeoutMs`. There are
   * `concurrency` + 2 producers that take turns, each with an id of its own (`prefix-name-0` and so on),
   * with connections of its own, and with a `bufferMemory` of its own, which it uses as it needs it.
   */
  readonly transactionalIdPrefix?: string;
  /**
   * The `groupInstanceId` of the source, a name that this running instance has for itself and keeps: as
   * it follows the prefix, whoever begins with it anew ends at once what its predecessor left behind,
   * as long as `concurrency` is no less.
   */
  readonly groupInstanceId?: string;
  /**
   * `'partition'`: an id, and a producer, for each input partition, as it is needed before Kafka 2.5:
   * `prefix-topic-partition`. All members of the group need the same prefix then: whoever gets a
   * partition takes its id over, and so ends what the owner before has under way. Default `'instance'`
   * (KIP-447).
   */
  readonly transactionalIdPer?: 'instance' | 'partition';
  /**
   * How many transactions may be under way at a time, of different partitions: a partition's records
   * are in one after the other. Needs a `transactionalIdPrefix`, for each has an id of its own. As many as
   * there are partitions give the most throughput where transactions are small. Default 1.
   */
  readonly concurrency?: number;
  /** Records that a transaction takes at most. Default 1,000. The consumer's window bounds it, too. */
  readonly maxRecords?: number;
  /** How long a transaction takes records from its first on, in ms. Default 100. */
  readonly maxWaitMs?: number;
  /** Time for `project` after that, in ms: then the transaction is aborted. Default 30,000. */
  readonly projectTimeoutMs?: number;
  /** Default: `'retry'` for errors that pass, `'fail'` for those of `project` and of records. */
  readonly onAbort?: 'retry' | 'fail' | ((abort: TransactionAbort<K, V>) => AfterAbort<K2, V2>);
}

const MAX_INT32 = 0x7fff_ffff;
const isText = (value: unknown) => typeof value === 'string' && value !== '';

const rules = {
  transactionalId: custom<string | undefined>(undefined, 'a text that is not empty', isText),
  transactionalIdPrefix: custom<string | undefined>(undefined, 'a text that is not empty', isText),
  groupInstanceId: custom<string | undefined>(undefined, 'a text that is not empty', isText),
  transactionalIdPer: oneOf<'instance' | 'partition'>('instance', 'instance', 'partition'),
  concurrency: integer(1, { min: 1 }),
  maxRecords: integer(1000, { min: 1 }),
  maxWaitMs: integer(100, { max: MAX_INT32 }),
  projectTimeoutMs: integer(30_000, { min: 1, max: MAX_INT32 }),
  onAbort: custom<'retry' | 'fail' | ((abort: TransactionAbort) => AfterAbort) | undefined>(
    undefined,
    "'retry', 'fail' or a function",
    (value) => value === 'retry' || value === 'fail' || typeof value === 'function',
  ),
} as const;

/** Complete and consistent. */
export interface ResolvedTransactionalOptions extends ResolvedOptions<typeof rules> {
  readonly serializers: SerializerOptions<unknown, unknown>;
  /** For producers of the operator's own. */
  readonly producer: ProducerOptions;
}

const TIMEOUT_MS = 60_000;

/** Checks and completes what {@link TransactionalOptions} leaves open. */
export function resolveTransactionalOptions(
  target: Kafka | Producer,
  given: TransactionalOptions,
): ResolvedTransactionalOptions {
  const { keySerializer, valueSerializer, ...all } = given;
  const names = new Set(Object.keys(rules));
  const entries = Object.entries(all);
  const own = Object.fromEntries(entries.filter(([name]) => names.has(name)));
  const producer = Object.fromEntries(entries.filter(([name]) => !names.has(name)));
  const options = resolveOptions('transactional', rules, own);
  if (target instanceof Producer) checkGivenProducer(target, options, producer);
  else checkOwnProducer(options, producer);
  checkTime(target, options, producer);
  return Object.freeze({
    ...options,
    producer,
    serializers: {
      ...(keySerializer !== undefined && { keySerializer }),
      ...(valueSerializer !== undefined && { valueSerializer }),
    },
  });
}

type OwnOptions = ResolvedOptions<typeof rules>;

function checkGivenProducer(
  { engine }: Producer,
  {
    transactionalId,
    transactionalIdPrefix,
    transactionalIdPer,
    groupInstanceId,
    concurrency,
  }: OwnOptions,
  producer: object,
): void {
  if (engine.transactions === undefined) {
    throw new ConfigError(
      'transactional: the producer that was given has no transactionalId; set it in kafka.producer()',
    );
  }
  const needsMore = 'needs producers of its own: give kafka, and a transactionalIdPrefix';
  if (transactionalIdPer === 'partition') {
    throw badOption('transactional', 'transactionalIdPer', 'partition', needsMore);
  }
  if (concurrency > 1) throw badOption('transactional', 'concurrency', concurrency, needsMore);
  const extra = { transactionalId, transactionalIdPrefix, groupInstanceId, ...producer };
  const [name] = Object.entries(extra).find(([, value]) => value !== undefined) ?? [];
  if (name === undefined) return;
  throw new ConfigError(
    `transactional: option ${name} belongs to the producer, and one was given: set it in kafka.producer()`,
  );
}

function checkOwnProducer(
  {
    transactionalId,
    transactionalIdPrefix,
    transactionalIdPer,
    groupInstanceId,
    concurrency,
  }: OwnOptions,
  producer: ProducerOptions,
): void {
  const what = 'transactional';
  if ((transactionalId === undefined) === (transactionalIdPrefix === undefined)) {
    const complaint = 'must be given, or else transactionalIdPrefix, and not both';
    throw badOption(what, 'transactionalId', transactionalId, complaint);
  }
  if (transactionalIdPer === 'partition' && transactionalIdPrefix === undefined) {
    const complaint = 'needs a transactionalIdPrefix to which the partition can be added';
    throw badOption(what, 'transactionalIdPer', transactionalIdPer, complaint);
  }
  const namesInstances = transactionalIdPrefix !== undefined && transactionalIdPer === 'instance';
  if (groupInstanceId !== undefined && !namesInstances) {
    const complaint = "needs a transactionalIdPrefix in front of it, and ids per 'instance'";
    throw badOption(what, 'groupInstanceId', groupInstanceId, complaint);
  }
  if (concurrency > 1 && !namesInstances) {
    const complaint = "needs a transactionalIdPrefix, for more than one id, and ids per 'instance'";
    throw badOption(what, 'concurrency', concurrency, complaint);
  }
  const given = { ...producer, transactionalId: transactionalId ?? transactionalIdPrefix! };
  checkProducerOptions(what, given, [...Object.keys(rules), ...SERIALIZERS]);
}

/** The coordinator must not abort what is still allowed to go on. */
function checkTime(
  target: Kafka | Producer,
  { maxWaitMs, projectTimeoutMs }: OwnOptions,
  producer: ProducerOptions,
): void {
  const { transactionTimeoutMs = TIMEOUT_MS } =
    target instanceof Producer ? target.engine.options : producer;
  const least = maxWaitMs + projectTimeoutMs;
  if (transactionTimeoutMs > least) return;
  const complaint = `must be more than maxWaitMs + projectTimeoutMs, here ${least}`;
  throw badOption('transactional', 'transactionTimeoutMs', transactionTimeoutMs, complaint);
}
