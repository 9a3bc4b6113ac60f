import { tap, type Observable, type OperatorFunction } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  batchEach,
  deadLetter,
  deadLetterHeaders,
  fanOut,
  fromTopics,
  processEach,
  retryEach,
  retryHeaders,
  retryTopics,
  type Consumer,
  type ConsumerOptions,
  type ConsumerRecord,
  type Kafka,
} from '../../src/index.js';
import { waitUntil } from '../support/kafka/readiness.js';
import { HEARTBEAT_MS, PARTITIONS } from './cluster.js';
import { uniqueTopic, type ContractSetup } from './setup.js';

const PATIENCE_MS = 30_000;
/** Records that each phase writes to each partition. */
const RECORDS = 40;
const KEYS = ['slow', 'a', 'b', 'c'];

type Pipeline = OperatorFunction<ConsumerRecord, unknown>;

const passed = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const valueOf = ({ value }: ConsumerRecord) => String(value);

/** Pipelines of our operators across rebalances: one member, two, and one again. Needs groups. */
export function operatingContract(setup: ContractSetup): void {
  const protocols: readonly ConsumerOptions[] = [
    { groupProtocol: 'classic', heartbeatIntervalMs: HEARTBEAT_MS },
    ...(setup.capabilities.hasConsumerProtocol ? [{ groupProtocol: 'consumer' } as const] : []),
  ];

  describe.each(protocols)('operators across rebalances, $groupProtocol groups', (protocol) => {
    test(
      'keyed concurrency: a slow key holds up no other, and each key keeps its order',
      async () => {
        const log = new Log();
        const others = new Set<string>();
        let isHeld = true;
        let heldUntilOthersWereDone = 0;
        const work = async (record: ConsumerRecord) => {
          log.started(record);
          const key = String(record.key);
          if (key !== 'slow') {
            await passed(record.offset % 3);
            others.add(valueOf(record));
          } else if (isHeld) {
            // As slow as can be: until others that came later are done.
            await waitUntil(
              () => others.size > 10,
              PATIENCE_MS,
              () => 'the slow key held up others',
            );
            heldUntilOthersWereDone++;
            isHeld = false;
          } else {
            await passed(5);
          }
          log.finished(record);
        };
        await acrossRebalances(setup, protocol, log, () =>
          processEach(work, { concurrency: 8, order: 'key' }),
        );
        expect(heldUntilOthersWereDone).toBeGreaterThan(0);
        log.judgeOnce();
        log.judgeOrder();
      },
      4 * PATIENCE_MS,
    );

    test(
      'batching with a window that is smaller than a batch: batches go when nothing more can come',
      async () => {
        const log = new Log();
        const sizes: number[] = [];
        const window = { ...protocol, maxUnackedRecords: 5 };
        await acrossRebalances(
          setup,
          window,
          log,
          () => (source) =>
            source.pipe(
              batchEach({ maxRecords: 100 }),
              processEach(async (batch) => {
                sizes.push(batch.length);
                for (const record of batch) log.started(record);
                await passed(2);
                for (const record of batch) log.finished(record);
              }),
            ),
        );
        expect(Math.max(...sizes)).toBeLessThanOrEqual(5 * PARTITIONS);
        expect(Math.max(...sizes)).toBeGreaterThan(1);
        log.judgeOnce();
        log.judgeOrder();
      },
      4 * PATIENCE_MS,
    );

    test(
      'fan-out with one slow branch: records are acked when both branches are done',
      async () => {
        const [fast, log] = [new Log(), new Log()];
        await acrossRebalances(setup, protocol, log, () =>
          fanOut(
            processEach((record: ConsumerRecord) => {
              fast.started(record);
              fast.finished(record);
            }),
            processEach(
              async (record: ConsumerRecord) => {
                log.started(record);
                await passed(5);
                log.finished(record);
              },
              { concurrency: 4, order: 'key' },
            ),
          ),
        );
        // What the slow one gave back comes to the fast one again.
        expect(fast.done).toEqual(log.done);
        log.judgeOnce();
        log.judgeOrder();
      },
      4 * PATIENCE_MS,
    );

    test(
      'retries and dead letters: what fails for good is in its topic, and the rest is done',
      async () => {
        const [log, letters] = [new Log(), uniqueTopic('dead')];
        await setup.cluster.createTopic(letters);
        const isBad = (value: string) => Number(value) % 10 === 0;
        const tries = new Map<string, number>();
        const work = async (record: ConsumerRecord) => {
          const value = valueOf(record);
          const before = tries.get(value) ?? 0;
          tries.set(value, before + 1);
          if (before === 0) log.started(record);
          await passed(2);
          if (isBad(value)) throw new Error(`${value} is bad`);
          log.finished(record);
        };
        await acrossRebalances(setup, protocol, log, (kafka) => {
          const toLetters = deadLetter(kafka, { topic: letters });
          return retryEach(work, {
            count: 2,
            backoffMs: 5,
            backoffMaxMs: 10,
            concurrency: 8,
            order: 'key',
            onError: (failure) => toLetters(failure).pipe(tap(() => log.finished(failure.record))),
          });
        });
        log.judgeOrder();
        const written = await setup.cluster.readAll(letters);
        const bad = [...log.done].filter(isBad);
        // A retry that is given up for the next owner is a gap: what is behind it may come again.
        const told = new Set(written.map(({ value }) => String(value)));
        expect([...told].toSorted()).toEqual(bad.toSorted());
        for (const { headers, value } of written) {
          const about = new Map(headers.map(([name, text]) => [name, String(text)]));
          expect(about.get(deadLetterHeaders.error)).toBe(`${String(value)} is bad`);
          expect(tries.get(String(value))).toBeGreaterThanOrEqual(3);
        }
      },
      4 * PATIENCE_MS,
    );

    test(
      'retry topics: what fails waits, twice, and then is in the topic of dead letters',
      async () => {
        const log = new Log();
        const names = ['soon', 'later', 'dead'].map((name) => uniqueTopic(name));
        for (const name of names) await setup.cluster.createTopic(name);
        const [soon, later, dead] = names as [string, string, string];
        const groupId = uniqueTopic('retries');
        const isBad = (value: string) => Number(value) % 10 === 0;
        const isSlow = (value: string) => Number(value) % 10 === 5;
        const early: string[] = [];
        const work = async (record: ConsumerRecord) => {
          const value = valueOf(record);
          const dueAt = record.header(retryHeaders.dueAt);
          if (Date.now() < Number(dueAt?.toString() ?? 0)) early.push(value);
          await passed(1);
          const isCuredLater = isSlow(value) && record.topic !== later;
          if (isBad(value) || isCuredLater) throw new Error(`${value} is bad`);
          log.finished(record);
        };
        await acrossRebalances(setup, protocol, log, (kafka) => {
          const toLetters = deadLetter(kafka, { topic: dead });
          return retryTopics(
            kafka,
            [
              { topic: soon, delayMs: 50 },
              { topic: later, delayMs: 150 },
            ],
            {
              consumer: { ...protocol, groupId },
              concurrency: 8,
              order: 'none',
              onError: (failure) =>
                toLetters(failure).pipe(tap(() => log.finished(failure.record))),
            },
            work,
          );
        });
        expect(early).toEqual([]);
        const written = await setup.cluster.readAll(dead);
        const bad = [...log.done].filter(isBad);
        const told = new Set(written.map(({ value }) => String(value)));
        expect([...told].toSorted()).toEqual(bad.toSorted());
        for (const { headers } of written) {
          const about = new Map(headers.map(([name, text]) => [name, String(text)]));
          expect(about.get(retryHeaders.attempt)).toBe('2');
          expect(about.get(deadLetterHeaders.topic)).toBe(later);
        }
      },
      4 * PATIENCE_MS,
    );
  });
}

/** What was done with each record. */
class Log {
  readonly starts: ConsumerRecord[] = [];
  readonly done = new Set<string>();

  started(record: ConsumerRecord): void {
    this.starts.push(record);
  }

  finished(record: ConsumerRecord): void {
    this.done.add(valueOf(record));
  }

  /** Nothing was done twice: everybody left in order. */
  judgeOnce(): void {
    const seen = new Set<string>();
    const twice = this.starts.map(valueOf).filter((value) => seen.size === seen.add(value).size);
    expect(twice).toEqual([]);
  }

  /** Each key was worked on in the order of its partition. */
  judgeOrder(): void {
    const last = new Map<string, number>();
    for (const { partition, key, offset } of this.starts) {
      const lane = `${partition} ${String(key)}`;
      expect(offset, lane).toBeGreaterThan(last.get(lane) ?? -1);
      last.set(lane, offset);
    }
  }
}

/** A member with a client of its own. */
class Member implements AsyncDisposable {
  readonly consumer: Consumer;
  failure: unknown;

  constructor(
    private readonly kafka: Kafka,
    topic: string,
    options: ConsumerOptions,
    pipeline: Pipeline,
  ) {
    this.consumer = kafka.consumer(options);
    const results: Observable<unknown> = fromTopics(this.consumer, topic).pipe(pipeline);
    results.subscribe({ error: (error: unknown) => (this.failure = error) });
  }

  get size(): number {
    return this.consumer.assignment.length;
  }

  async drain(): Promise<void> {
    const { recordsAbandoned } = await this.kafka.drain({ timeoutMs: PATIENCE_MS });
    expect(recordsAbandoned).toBe(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kafka.close();
  }
}

/** Runs a pipeline in one member, in two, and in the second alone, with records in every phase. */
async function acrossRebalances(
  setup: ContractSetup,
  protocol: ConsumerOptions,
  log: Log,
  pipeline: (kafka: Kafka) => Pipeline,
): Promise<void> {
  const [topic, groupId] = [uniqueTopic('operators'), uniqueTopic('group')];
  await setup.cluster.createTopic(topic);
  const options: ConsumerOptions = { ...protocol, groupId, autoOffsetReset: 'earliest' };
  let sent = 0;
  const write = async () => {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const records = Array.from({ length: RECORDS }, (_, i) => ({
        key: KEYS[i % KEYS.length]!,
        value: String(sent++),
      }));
      await setup.cluster.write(topic, partition, records);
    }
  };
  const members: Member[] = [];
  const until = (holds: () => boolean, what: string) =>
    waitUntil(holds, PATIENCE_MS, () => {
      const sizes = members.map(({ size, failure }) => `${size} ${String(failure)}`).join(', ');
      return `${what}: ${log.done.size} of ${sent} are done; members hold ${sizes}`;
    });
  const enter = () => {
    const kafka = setup.connect();
    const member = new Member(kafka, topic, options, pipeline(kafka));
    members.push(member);
    return member;
  };
  await write();
  await using first = enter();
  await until(() => log.done.size >= RECORDS / 2, 'alone');
  await using second = enter();
  await write();
  await until(() => first.size > 0 && second.size > 0, 'rebalancing');
  await until(() => log.done.size >= sent - RECORDS, 'together');
  await write();
  await first.drain();
  await until(() => log.done.size === sent, 'alone again');
  await second.drain();
  await using after = setup.connect();
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  const committed = await after.consumer({ groupId }).committed(partitions);
  expect(committed.map(({ offset }) => offset)).toEqual(partitions.map(() => 3 * RECORDS));
}
