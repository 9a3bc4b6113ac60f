import { Subject, takeUntil, tap, type Subscription } from 'rxjs';
import { expect, test } from 'vitest';
import {
  fromTopics,
  processEach,
  type ConsumerOptions,
  type Kafka,
  type LifecycleEvent,
} from '../../../src/index.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { PARTITIONS } from '../cluster.js';
import { uniqueTopic, type ContractSetup } from '../setup.js';

const PATIENCE_MS = 20_000;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A member at work: what it has seen, what it holds, and how it leaves. */
class Worker implements AsyncDisposable {
  readonly seen: string[] = [];
  readonly held = new Set<string>();
  readonly events: LifecycleEvent[] = [];
  failure: unknown;
  private readonly subscription: Subscription;
  private readonly gone = new Subject<void>();

  constructor(
    private readonly kafka: Kafka,
    topics: string | RegExp,
    options: ConsumerOptions,
    work: (value: string) => Promise<void> = () => Promise.resolve(),
  ) {
    kafka.lifecycle.subscribe((event) => {
      this.events.push(event);
      if (event.type === 'assigned')
        for (const each of event.partitions) this.held.add(nameOf(each));
      if (event.type === 'revoked' || event.type === 'lost') {
        for (const each of event.partitions) this.held.delete(nameOf(each));
      }
    });
    this.subscription = fromTopics(kafka, topics, { autoOffsetReset: 'earliest', ...options })
      .pipe(
        tap(({ value, partition, offset }) =>
          this.seen.push(`${partition}/${offset} ${String(value)}`),
        ),
        processEach(({ value }) => work(String(value)), { concurrency: 8 }),
        takeUntil(this.gone),
      )
      .subscribe({ error: (error: unknown) => (this.failure = error) });
  }

  /** Leaves in order. */
  async drain(): Promise<void> {
    await this.kafka.drain();
  }

  unsubscribe(): void {
    this.subscription.unsubscribe();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.subscription.unsubscribe();
    await this.kafka.close();
  }
}

const nameOf = ({ topic, partition }: { topic: string; partition: number }) =>
  `${topic}-${partition}`;

/** Members share partitions, and nothing is lost between them. Needs Kafka 0.9. */
export function groupsContract(setup: ContractSetup, options: ConsumerOptions = {}): void {
  const join = (groupId: string, topics: string | RegExp, more: ConsumerOptions = {}) =>
    new Worker(setup.connect(), topics, { groupId, ...options, ...more });

  async function fill(topic: string, from: number, count: number): Promise<string[]> {
    const values = numbers(count).map((i) => String(from + i));
    for (const partition of numbers(PARTITIONS)) {
      const own = values.filter((value) => Number(value) % PARTITIONS === partition);
      await setup.cluster.write(
        topic,
        partition,
        own.map((value) => ({ value })),
      );
    }
    return values;
  }

  const until = (holds: () => boolean, what: () => string) => waitUntil(holds, PATIENCE_MS, what);
  const valuesOf = (workers: readonly Worker[]) =>
    workers.flatMap(({ seen }) => seen.map((entry) => entry.split(' ')[1]!));

  test(
    'a member alone has every partition, and goes on after a restart where it stopped',
    async () => {
      const [topic, groupId] = [uniqueTopic('alone'), uniqueTopic('group')];
      await setup.cluster.createTopic(topic);
      const first = await fill(topic, 0, 30);
      await using before = join(groupId, topic);
      await until(
        () => before.seen.length >= 30,
        () => `${before.seen.length} of 30 were seen; ${String(before.failure)}`,
      );
      await before.drain();
      const second = await fill(topic, 30, 30);
      await using after = join(groupId, topic);
      await until(
        () => after.seen.length >= 30,
        () => `${after.seen.length} of 30 more were seen; ${String(after.failure)}`,
      );
      expect(valuesOf([before]).toSorted()).toEqual(first.toSorted());
      expect(valuesOf([after]).toSorted()).toEqual(second.toSorted());
    },
    2 * PATIENCE_MS,
  );

  test(
    'members share the partitions; one that leaves in order leaves nothing to be redelivered',
    async () => {
      const [topic, groupId] = [uniqueTopic('shared'), uniqueTopic('group')];
      await setup.cluster.createTopic(topic);
      await using one = join(groupId, topic);
      await until(
        () => one.held.size === PARTITIONS,
        () => `the first member has ${one.held.size} partitions; ${String(one.failure)}`,
      );
      await using two = join(groupId, topic);
      await until(
        () => two.held.size > 0 && one.held.size + two.held.size === PARTITIONS,
        () => `the members have ${one.held.size} and ${two.held.size}; ${String(two.failure)}`,
      );
      const first = await fill(topic, 0, 60);
      await until(
        () => one.seen.length + two.seen.length >= 60,
        () => `${one.seen.length} and ${two.seen.length} of 60 were seen`,
      );
      await two.drain();
      await until(
        () => one.held.size === PARTITIONS,
        () => `the member that stayed has ${one.held.size} partitions`,
      );
      const second = await fill(topic, 60, 60);
      await until(
        () => one.seen.length + two.seen.length >= 120,
        () => `${one.seen.length} and ${two.seen.length} of 120 were seen`,
      );
      expect(two.seen.length).toBeGreaterThan(0);
      expect(valuesOf([one, two]).toSorted()).toEqual([...first, ...second].toSorted());
    },
    2 * PATIENCE_MS,
  );

  test(
    'groups don’t disturb each other: each sees everything',
    async () => {
      const topic = uniqueTopic('groups');
      await setup.cluster.createTopic(topic);
      const values = await fill(topic, 0, 30);
      await using one = join(uniqueTopic('group'), topic);
      await using two = join(uniqueTopic('group'), topic);
      await until(
        () => one.seen.length >= 30 && two.seen.length >= 30,
        () => `${one.seen.length} and ${two.seen.length} of 30 were seen`,
      );
      for (const worker of [one, two]) {
        expect(valuesOf([worker]).toSorted()).toEqual(values.toSorted());
      }
    },
    2 * PATIENCE_MS,
  );

  test(
    'a pattern follows topics that are made later',
    async () => {
      const [name, groupId] = [uniqueTopic('followed'), uniqueTopic('group')];
      await setup.cluster.createTopic(`${name}-a`);
      await fill(`${name}-a`, 0, 3);
      await using worker = new Worker(
        setup.connect({ metadataMaxAgeMs: 300 }),
        new RegExp(`${name}-.*`),
        { groupId, ...options, metadataMaxAgeMs: 300 },
      );
      await until(
        () => worker.seen.length >= 3,
        () => `${worker.seen.length} of 3 were seen; ${String(worker.failure)}`,
      );
      await setup.cluster.createTopic(`${name}-b`);
      await fill(`${name}-b`, 3, 3);
      await until(
        () => worker.seen.length >= 6,
        () => `${worker.seen.length} of 6 were seen`,
      );
      expect(valuesOf([worker]).toSorted()).toEqual(['0', '1', '2', '3', '4', '5']);
    },
    2 * PATIENCE_MS,
  );

  test(
    'unsubscribing lets work in hand finish and commits it',
    async () => {
      const [topic, groupId] = [uniqueTopic('in-hand'), uniqueTopic('group')];
      await setup.cluster.createTopic(topic);
      await setup.cluster.write(topic, 0, [{ value: 'a' }, { value: 'b' }]);
      const finish: (() => void)[] = [];
      const kafka = setup.connect();
      await using worker = new Worker(
        kafka,
        topic,
        { groupId, ...options },
        () => new Promise((resolve) => finish.push(resolve)),
      );
      await until(
        () => finish.length === 1,
        () => `${finish.length} were started; ${String(worker.failure)}`,
      );
      worker.unsubscribe();
      finish[0]!();
      await until(
        () => worker.events.some(({ type }) => type === 'committed'),
        () => `nothing was committed: ${JSON.stringify(worker.events.at(-1))}`,
      );
      await using other = setup.connect();
      const [committed] = await other.consumer({ groupId }).committed([{ topic, partition: 0 }]);
      expect(committed).toMatchObject({ offset: 1 });
    },
    2 * PATIENCE_MS,
  );
}
