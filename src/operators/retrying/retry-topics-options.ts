import { ConfigError } from '../../core/util/errors.js';
import { badOption, custom, resolveOptions } from '../../core/util/options.js';
import type { ProducerOptions } from '../../core/producer/index.js';
import { checkProducerOptions } from '../../core/producer/index.js';
import type { SourceOptions } from '../../sources/with-consumer.js';
import {
  resolveRetry,
  retryRule,
  type OnProcessError,
  type RetryOptions,
} from '../processing/failure-policy.js';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import { isRetryTarget, type RetryTarget } from './retry-cluster.js';
import type { LaneOrder } from '../processing/lanes.js';
import { laneRules } from '../processing/process-options.js';

/** A topic where what failed waits before it is tried again. */
export interface RetryTopic {
  /** Its name; it must be there. */
  readonly topic: string;
  /** How long, at least, in ms; the same for all its records, so that the first is due first. */
  readonly delayMs: number;
}

/** How `retryTopics` reads, works and writes. */
export interface RetryTopicsOptions<K, V, E = never> {
  /**
   * Options of the consumer of the retry topics: a `groupId`, best one of its own, and the
   * deserializers of the source. It begins at `'earliest'` by default.
   */
  readonly consumer: SourceOptions<K, V> & { readonly groupId: string };
  /**
   * What to do when work has failed after the last retry topic, too: as for `processEach`. Mostly
   * `deadLetter(kafka, { topic })`.
   */
  readonly onError: OnProcessError<ConsumerRecord<K, V>, E>;
  /** Options of the producer of the retry records. */
  readonly producer?: ProducerOptions;
  /** How many records are worked on at once, of the source and the retry topics together. Default 1. */
  readonly concurrency?: number;
  /** What is kept in order among those that don't fail: as for `processEach`. Default `'partition'`. */
  readonly order?: LaneOrder;
  /** How often work is tried again before the record goes to a retry topic: as for `processEach`. Default 0. */
  readonly retry?: number | RetryOptions;
}

/** Timers can't wait longer. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

const policies = new Set<unknown>(['fail', 'skip', 'nack']);
const anObject = (value: unknown) => typeof value === 'object' && value !== null;

const rules = {
  ...laneRules,
  retry: retryRule,
  consumer: custom<object>({}, 'the options of a consumer', anObject),
  producer: custom<ProducerOptions>({}, 'the options of a producer', anObject),
  onError: custom<unknown>(
    undefined,
    "one of 'fail', 'skip', 'nack', a function",
    (value) => policies.has(value) || typeof value === 'function',
  ),
} as const;

/** @throws ConfigError naming what does not fit. */
export function resolveRetryTopics<K, V, E>(
  target: RetryTarget,
  topics: readonly RetryTopic[],
  given: RetryTopicsOptions<K, V, E>,
) {
  if (!isRetryTarget(target)) {
    throw new ConfigError(
      'retryTopics: give it what createKafka() has returned as the first argument',
    );
  }
  checkTopics(topics);
  const resolved = resolveOptions('retryTopics', rules, { ...given });
  const { retry, onError } = resolved;
  if (onError === undefined) {
    throw badOption('retryTopics', 'onError', onError, 'has to say what follows the last retry');
  }
  checkProducerOptions('retryTopics', resolved.producer, []);
  return {
    ...resolved,
    retry: resolveRetry('retryTopics', retry),
    onError: onError as OnProcessError<ConsumerRecord<K, V>, E>,
    consumer: consumerOptions(resolved.consumer as SourceOptions<K, V>),
    topics: topics.map((each) => ({ ...each })),
  };
}

function consumerOptions<K, V>(given: SourceOptions<K, V>): SourceOptions<K, V> {
  if (given.groupId === undefined) {
    throw badOption('retryTopics', 'consumer.groupId', undefined, 'is needed to share the retries');
  }
  if (given.ack === 'auto') {
    throw badOption('retryTopics', 'consumer.ack', given.ack, "must be 'manual'");
  }
  // A fetch brings one batch, which may be larger: what waits for its time is no more than that.
  return { autoOffsetReset: 'earliest', ...given, maxPartitionFetchBytes: 1 };
}

function checkTopics(topics: readonly RetryTopic[]): void {
  const isRetryTopic = ({ topic, delayMs }: RetryTopic) =>
    typeof topic === 'string' &&
    topic !== '' &&
    Number.isInteger(delayMs) &&
    delayMs >= 0 &&
    delayMs <= LONGEST_DELAY_MS;
  const isSound =
    Array.isArray(topics) &&
    topics.length > 0 &&
    topics.every((each) => anObject(each) && isRetryTopic(each as RetryTopic)) &&
    new Set(topics.map(({ topic }: RetryTopic) => topic)).size === topics.length;
  if (isSound) return;
  throw badOption(
    'retryTopics',
    'topics',
    topics,
    `must be a list of { topic, delayMs }, of different topics, with whole delays of at most ${LONGEST_DELAY_MS}`,
  );
}
