import {
  concatMap,
  concatWith,
  firstValueFrom,
  ignoreElements,
  map,
  Subject,
  take,
  takeWhile,
  tap,
  throwError,
  type Observable,
} from 'rxjs';
import { expect, test } from 'vitest';
import {
  FencedError,
  fromTopics,
  transactional,
  UnsupportedVersionError,
  type ConsumerOptions,
  type Kafka,
  type TransactionalOptions,
} from '../../../src/index.js';
import { PARTITIONS } from '../cluster.js';
import { collect, uniqueTopic, type ContractSetup } from '../setup.js';
import { committedValues } from './reading.js';

/** `transactional` between topics. Needs Kafka 0.11; before 2.5 an id for each partition. */
export function operatorContract(setup: ContractSetup): void {
  const { hasGroupTransactions, hasConsumerProtocol } = setup.capabilities;
  const protocols = hasConsumerProtocol
    ? (['classic', 'consumer'] as const)
    : (['classic'] as const);
  const RECORDS = 30;

  /** Ids as the brokers need them. */
  const ids = (name: string): TransactionalOptions =>
    hasGroupTransactions
      ? { transactionalId: name }
      : { transactionalIdPrefix: name, transactionalIdPer: 'partition' };

  async function topics() {
    const from = uniqueTopic('from');
    const to = uniqueTopic('to');
    await setup.cluster.createTopic(from);
    await setup.cluster.createTopic(to);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const values = Array.from({ length: RECORDS }, (_, i) => ({ value: `${partition}:${i}` }));
      await setup.cluster.write(from, partition, values);
    }
    return { from, to };
  }

  const expected = Array.from({ length: PARTITIONS }, (_, partition) =>
    Array.from({ length: RECORDS }, (__, i) => `${partition}:${i}`),
  ).flat();

  function copy(
    kafka: Kafka,
    { from, to }: { from: string; to: string },
    options: TransactionalOptions,
    consumer: ConsumerOptions = {},
  ) {
    return fromTopics(kafka, from, {
      groupId: `${from}-group`,
      isolationLevel: 'read_committed',
      autoOffsetReset: 'earliest',
      ...consumer,
    }).pipe(
      transactional(kafka, options, (records) =>
        records.pipe(map((record) => record.derive({ topic: to, partition: record.partition }))),
      ),
    );
  }

  const untilAll = <T extends { records: number }>(source: Observable<T>) => {
    let left = RECORDS * PARTITIONS;
    return collect(source.pipe(takeWhile(({ records }) => (left -= records) > 0, true)));
  };

  test.each(protocols)(
    'copies every record once, over members that come and go (%s)',
    async (groupProtocol) => {
      const both = await topics();
      await using kafka = setup.connect();
      const consumer = { groupProtocol, maxUnackedRecords: 7 } as const;
      const name = uniqueTopic('id');
      // Where ids belong to partitions, each owner takes over those of the one before.
      const nextIds = (): TransactionalOptions =>
        hasGroupTransactions
          ? { transactionalIdPrefix: uniqueTopic('id'), concurrency: 2 }
          : ids(name);
      // The first two leave after some transactions, the third does the rest.
      for (const leavesAfter of [2, 3]) {
        const options = { ...nextIds(), maxRecords: 5 };
        await collect(copy(kafka, both, options, consumer).pipe(take(leavesAfter)));
      }
      await untilNothingIsLeft(kafka, both, { ...nextIds(), maxRecords: 100 }, consumer);
      expect(await committedValues(setup, both.to)).toEqual(expected);
    },
  );

  /** Copies on until all offsets are at the end. */
  async function untilNothingIsLeft(
    kafka: Kafka,
    both: { from: string; to: string },
    options: TransactionalOptions,
    consumer: ConsumerOptions,
  ): Promise<void> {
    const ends = new Map<number, number>();
    await collect(
      copy(kafka, both, options, consumer).pipe(
        takeWhile(({ offsets }) => {
          for (const { partition, offset } of offsets) ends.set(partition, offset);
          return [...ends.values()].filter((offset) => offset >= RECORDS).length < PARTITIONS;
        }, true),
      ),
    );
  }

  test('an error of project aborts: nothing of it counts, and nothing is skipped', async () => {
    const both = await topics();
    await using kafka = setup.connect();
    const name = uniqueTopic('id');
    const failing = fromTopics(kafka, both.from, {
      groupId: `${both.from}-group`,
      autoOffsetReset: 'earliest',
    }).pipe(
      transactional(kafka, ids(name), (records) =>
        records.pipe(
          concatMap((record, index) =>
            index === 10
              ? throwError(() => new Error('no'))
              : [record.derive({ topic: both.to, partition: record.partition })],
          ),
        ),
      ),
    );
    await expect(collect(failing)).rejects.toThrow('no');
    expect(await committedValues(setup, both.to)).toEqual([]);
    await untilAll(copy(kafka, both, ids(name)));
    expect(await committedValues(setup, both.to)).toEqual(expected);
  });

  test.runIf(hasGroupTransactions)(
    'of two with the same id the older fails with FencedError, and changes nothing (rule 32)',
    async () => {
      const both = await topics();
      await using older = setup.connect();
      await using newer = setup.connect();
      const name = uniqueTopic('id');
      const groupId = `${both.from}-group`;
      const resume = new Subject<void>();
      const began = new Subject<void>();
      const fenced = collect(
        fromTopics(older, both.from, { groupId, autoOffsetReset: 'earliest' }).pipe(
          transactional(older, { transactionalId: name, onAbort: 'retry' }, (records) =>
            records.pipe(
              map((record) => record.derive({ topic: both.to, value: 'of the older' })),
              tap({ complete: () => began.next() }),
              concatWith(resume.pipe(take(1), ignoreElements())),
            ),
          ),
        ),
      );
      const outcome = fenced.catch((error: unknown) => error);
      await firstValueFrom(began);
      const successor = newer.producer({ transactionalId: name });
      await successor.initTransactions();
      resume.next();
      expect(await outcome).toBeInstanceOf(FencedError);
      expect(await committedValues(setup, both.to)).toEqual([]);
      const partitions = [0, 1, 2].map((partition) => ({ topic: both.from, partition }));
      const offsets = await newer.consumer({ groupId }).committed(partitions);
      expect(offsets.map(({ offset }) => offset).filter((offset) => offset > 0)).toEqual([]);
      await successor.close();
      await untilAll(copy(newer, both, ids(name)));
      expect(await committedValues(setup, both.to)).toEqual(expected);
    },
  );

  test.runIf(!hasGroupTransactions)(
    'needs an id for each partition, and says so (rule 33)',
    async () => {
      const both = await topics();
      await using kafka = setup.connect();
      const outcome = collect(copy(kafka, both, { transactionalId: uniqueTopic('id') }));
      const error = await outcome.catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(UnsupportedVersionError);
      expect(String(error)).toContain('transactionalIdPer');
    },
  );
}
