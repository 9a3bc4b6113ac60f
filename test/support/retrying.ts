import type { Observable } from 'rxjs';
import {
  deadLetter,
  fromTopics,
  retryTopics,
  type ConsumerRecord,
  type Kafka,
  type ProcessContext,
  type RetryTopic,
  type RetryTopicsOptions,
} from '../../src/index.js';
import { text } from './operator-spec.js';
import { Simulation } from './simulation.js';

export const SHORT = { topic: 'orders.retry.10s', delayMs: 10_000 };
export const LONG = { topic: 'orders.retry.1m', delayMs: 60_000 };
export const DEAD = 'orders.dead';
export const RETRIES = 'billing.retries';

export type AnyRecord = ConsumerRecord<Buffer | null, Buffer | null>;

/** When each record was worked on, in ms from the start, and which attempt it was. */
export class Tries {
  readonly seen: [name: string, atMs: number, attempt: number][] = [];
  private readonly start: number;

  constructor(
    private readonly sim: Simulation,
    /** How often each record fails that fails at all. */
    private readonly failures: Readonly<Record<string, number>>,
  ) {
    this.start = sim.clock.now();
  }

  readonly work = (record: AnyRecord, { attempt }: ProcessContext): string[] => {
    const name = text(record);
    this.seen.push([name, this.sim.clock.now() - this.start, attempt]);
    if (attempt <= (this.failures[name] ?? 0)) throw new Error(`no ${name}`);
    return [name];
  };

  of(name: string): number[] {
    return this.seen.filter(([each]) => each === name).map(([, atMs]) => atMs);
  }
}

/** A cluster with orders, topics to retry them in, and one for dead letters. */
export function startRetrying(partitions = 1): Promise<Simulation> {
  const topics = { orders: partitions, [SHORT.topic]: partitions, [LONG.topic]: partitions };
  return Simulation.start({ topics: { ...topics, [DEAD]: 1 } });
}

export const inGroup = {
  groupId: 'billing',
  autoOffsetReset: 'earliest',
  autoCommitIntervalMs: 20,
} as const;

/** Dead letters after the last topic. */
export function optionsOf(kafka: Kafka): RetryTopicsOptions<Buffer | null, Buffer | null, unknown> {
  return {
    consumer: { groupId: RETRIES, autoCommitIntervalMs: 20 },
    onError: deadLetter(kafka, { topic: DEAD }),
  };
}

/** The operator alone. */
export function working(kafka: Kafka, tries: Tries, topics: readonly RetryTopic[] = [SHORT, LONG]) {
  return retryTopics(kafka, topics, optionsOf(kafka), tries.work);
}

/** The whole, on a client. */
export function billing(kafka: Kafka, tries: Tries): Observable<unknown> {
  return fromTopics(kafka, 'orders', inGroup).pipe(working(kafka, tries));
}

export function headersIn(sim: Simulation, topic: string, partition = 0): Record<string, string>[] {
  return sim.cluster
    .records(topic, partition)
    .map(({ headers }) =>
      Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
    );
}

export function valuesIn(sim: Simulation, topic: string): string[] {
  return sim.cluster.records(topic).map(({ value }) => String(value));
}
