import { aborted, pause, type BrokerChannel, type TopicMetadata } from '../../cluster/index.js';
import type { TopicPartition } from '../../group/index.js';
import { brokerError, type BrokerError } from '../../protocol/index.js';
import { backoffMs } from '../../util/backoff.js';
import { KafkaError, TimeoutError } from '../../util/errors.js';
import type { ConsumerContext, Patience } from '../context.js';
import { consumerError, nameOf } from '../errors.js';

/** What a leader said of one partition. */
export interface LeaderAnswer<R> extends TopicPartition {
  readonly errorCode: number;
  readonly value: R;
}

/** Something to find out from the leaders of partitions. */
export interface Question<T extends TopicPartition, R> {
  /** What is done, for errors: `find an offset of`. */
  readonly what: string;
  readonly targets: readonly T[];
  ask(
    channel: BrokerChannel,
    targets: readonly T[],
    timeoutMs: number,
  ): Promise<readonly LeaderAnswer<R>[]>;
  /** Whether it matters still: whoever gives up a partition need not know, and may wait for it for ever. */
  isWanted(target: T): boolean;
  /** Told what one leader has said, as soon as it has. */
  onAnswers(answers: readonly Answer<T, R>[]): void;
}

/** What was found out about a target. */
export interface Answer<T, R> {
  readonly target: T;
  readonly value: R;
}

/** What is known of the leader that a partition is asked about; -1 when nothing. */
export function leaderEpochOf({ cluster }: ConsumerContext, where: TopicPartition): number {
  const topic = cluster.metadata.topics.get(where.topic);
  return topic?.partitions[where.partition]?.leaderEpoch ?? -1;
}

/**
 * Asks the leaders of partitions, each for its own, until all have answered: leaders that move, and
 * whatever else retrying cures, are waited for. No partition waits for the leader of another.
 *
 * @throws TimeoutError at the deadline; KafkaError for what retrying can't cure.
 */
export async function askLeaders<T extends TopicPartition, R>(
  context: ConsumerContext,
  question: Question<T, R>,
  { deadline, signal }: Patience,
): Promise<void> {
  const search = new AbortController();
  const stop = () => search.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const patience = { deadline, signal: search.signal };
    await new Search(context, question, patience).pursue(question.targets, 0);
  } finally {
    // One has failed for good: nobody waits for the others any more.
    stop();
    signal.removeEventListener('abort', stop);
  }
}

class Search<T extends TopicPartition, R> {
  private readonly targets: ReadonlyMap<string, T>;
  private last: BrokerError | undefined;

  constructor(
    private readonly context: ConsumerContext,
    private readonly question: Question<T, R>,
    private readonly patience: Patience,
  ) {
    this.targets = new Map(question.targets.map((target) => [nameOf(target), target]));
  }

  async pursue(targets: readonly T[], failures: number): Promise<void> {
    if (this.patience.signal.aborted) throw aborted(this.patience.signal);
    const wanted = targets.filter((target) => this.question.isWanted(target));
    const byLeader = groupByLeader(this.context, wanted);
    const rounds = [...byLeader].map(([node, mine]) => this.pursueAt(node, mine, failures));
    await Promise.all(rounds);
  }

  /** @param node below 0 where nobody leads. */
  private async pursueAt(node: number, targets: readonly T[], failures: number): Promise<void> {
    const { cluster, clock, options } = this.context;
    const { deadline, signal } = this.patience;
    const left = node < 0 ? targets : await this.ask(node, targets);
    if (left.length === 0) return;
    cluster.requestMetadataUpdate();
    const { retryBackoffMs, retryBackoffMaxMs } = options;
    const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
    if (clock.monotonic() + waitMs >= deadline) {
      throw timedOut(this.question.what, left, this.last, (topic) => cluster.topic(topic));
    }
    await pauseForMetadata(this.context, node < 0 && failures === 0, waitMs, signal);
    await this.pursue(left, failures + 1);
  }

  /** Returns those that are left to be asked again. */
  private async ask(node: number, targets: readonly T[]): Promise<readonly T[]> {
    const answers: Answer<T, R>[] = [];
    let failure: KafkaError | undefined;
    for (const { topic, partition, errorCode, value } of await this.round(node, targets)) {
      const error = brokerError(errorCode);
      const name = nameOf({ topic, partition });
      const target = this.targets.get(name);
      if (error.isRetriable) this.last = error;
      else if (error.code !== 0) {
        failure = consumerError(`${this.question.what} ${name}`, error, { topic, partition });
      } else if (target !== undefined) answers.push({ target, value });
    }
    if (this.patience.signal.aborted) throw aborted(this.patience.signal);
    if (failure !== undefined) throw failure;
    this.question.onAnswers(answers);
    const answered = new Set(answers.map(({ target }) => target));
    return targets.filter((target) => !answered.has(target));
  }

  private async round(node: number, targets: readonly T[]): Promise<readonly LeaderAnswer<R>[]> {
    const { cluster, options } = this.context;
    try {
      const channel = cluster.channel(node, 'control');
      await channel.ready();
      return await this.question.ask(channel, targets, options.requestTimeoutMs);
    } catch (error) {
      if (error instanceof KafkaError && error.isRetriable) return [];
      throw error;
    }
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

function timedOut(
  what: string,
  targets: readonly TopicPartition[],
  last: BrokerError | undefined,
  known: (topic: string) => TopicMetadata | undefined,
): TimeoutError {
  const answer = last === undefined ? '' : `; the last answer was ${last.name}: ${last.message}`;
  const why = missing(targets, known) ?? answer;
  return new TimeoutError(`Could not ${what} ${targets.map(nameOf).join(', ')} in time${why}`);
}

/** Names a partition that its topic doesn't have. */
function missing(
  targets: readonly TopicPartition[],
  known: (topic: string) => TopicMetadata | undefined,
): string | undefined {
  for (const { topic, partition } of targets) {
    const count = known(topic)?.partitions.length ?? 0;
    if (count > 0 && partition >= count) {
      return `; there is no partition ${partition} of ${topic}; it has 0 to ${count - 1}`;
    }
  }
  return undefined;
}
