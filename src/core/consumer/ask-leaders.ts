import { aborted, pause, type BrokerChannel } from '../cluster/index.js';
import type { TopicPartition } from '../group/index.js';
import { brokerError, type BrokerError } from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import { KafkaError, TimeoutError } from '../util/errors.js';
import type { ConsumerContext, Patience } from './context.js';
import { consumerError, nameOf } from './errors.js';

/** What a leader said of one partition. */
export interface LeaderAnswer<R> extends TopicPartition {
  readonly errorCode: number;
  readonly value: R;
}

type Ask<T, R> = (
  channel: BrokerChannel,
  targets: readonly T[],
  timeoutMs: number,
) => Promise<readonly LeaderAnswer<R>[]>;

/**
 * Asks the leaders of partitions, each for its own, until all have answered: leaders that move, and
 * whatever else retrying cures, are waited for.
 *
 * @throws TimeoutError at the deadline; KafkaError for what retrying can't cure.
 */
export async function askLeaders<T extends TopicPartition, R>(
  context: ConsumerContext,
  what: string,
  targets: readonly T[],
  ask: Ask<T, R>,
  { deadline, signal }: Patience,
): Promise<Map<string, R>> {
  const { cluster, clock, options } = context;
  const answers = new Map<string, R>();
  let left = targets;
  let last: BrokerError | undefined;
  for (let failures = 0; ; failures++) {
    if (signal.aborted) throw aborted(signal);
    const byLeader = groupByLeader(context, left);
    const rounds = [...byLeader].map(([node, mine]) => round(context, node, mine, ask));
    for (const outcome of await Promise.all(rounds)) {
      for (const { topic, partition, errorCode, value } of outcome) {
        const error = brokerError(errorCode);
        if (error.code === 0) {
          answers.set(nameOf({ topic, partition }), value);
        } else if (error.isRetriable) {
          last = error;
        } else {
          const where = nameOf({ topic, partition });
          throw consumerError(`${what} ${where}`, error, { topic, partition });
        }
      }
    }
    left = left.filter((target) => !answers.has(nameOf(target)));
    if (left.length === 0) return answers;
    cluster.requestMetadataUpdate();
    const { retryBackoffMs, retryBackoffMaxMs } = options;
    const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
    if (clock.monotonic() + waitMs >= deadline) throw timedOut(what, left, last);
    await pauseForMetadata(context, byLeader.size === 0 && failures === 0, waitMs, signal);
  }
}

/** Waits; where nobody has asked for leaders yet, only until something is told about them. */
async function pauseForMetadata(
  { cluster, clock }: ConsumerContext,
  isForLeaders: boolean,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (!isForLeaders) return pause(clock, waitMs, [signal]);
  const enough = new AbortController();
  const stop = () => enough.abort();
  const stopListening = cluster.onMetadata(stop);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await pause(clock, waitMs, [enough.signal]);
  } catch {
    if (signal.aborted) throw aborted(signal);
  } finally {
    stopListening();
    signal.removeEventListener('abort', stop);
  }
}

function groupByLeader<T extends TopicPartition>(
  { cluster }: ConsumerContext,
  targets: readonly T[],
): Map<number, T[]> {
  const byLeader = new Map<number, T[]>();
  for (const target of targets) {
    const topic = cluster.topic(target.topic);
    const leader = topic?.partitions[target.partition]?.leader ?? -1;
    if (topic !== undefined && topic.errorCode !== 0) throwIfHopeless(target, topic.errorCode);
    if (leader < 0) continue;
    const others = byLeader.get(leader);
    if (others === undefined) byLeader.set(leader, [target]);
    else others.push(target);
  }
  return byLeader;
}

function throwIfHopeless({ topic }: TopicPartition, errorCode: number): void {
  const error = brokerError(errorCode);
  if (!error.isRetriable) throw consumerError(`consume ${topic}`, error, { topic });
}

async function round<T, R>(
  { cluster, options }: ConsumerContext,
  node: number,
  targets: readonly T[],
  ask: Ask<T, R>,
): Promise<readonly LeaderAnswer<R>[]> {
  try {
    const channel = cluster.channel(node, 'control');
    await channel.ready();
    return await ask(channel, targets, options.requestTimeoutMs);
  } catch (error) {
    if (error instanceof KafkaError && error.isRetriable) return [];
    throw error;
  }
}

function timedOut(
  what: string,
  targets: readonly TopicPartition[],
  last: BrokerError | undefined,
): TimeoutError {
  const why = last === undefined ? '' : `; the last answer was ${last.name}: ${last.message}`;
  return new TimeoutError(`Could not ${what} ${targets.map(nameOf).join(', ')} in time${why}`);
}
