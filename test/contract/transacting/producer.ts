import { concatMap, firstValueFrom, from, map, share, throwError } from 'rxjs';
import { expect, test } from 'vitest';
import { FencedError, TransactionAbortedError, type LifecycleEvent } from '../../../src/index.js';
import { collect, uniqueTopic, type ContractSetup } from '../setup.js';
import { committedValues } from './reading.js';

/** Transactions of a producer. Needs Kafka 0.11. */
export function producerTransactionsContract(setup: ContractSetup): void {
  const { hasGroupTransactions } = setup.capabilities;
  const committed = (topic: string) => committedValues(setup, topic);

  async function topicFor(name: string): Promise<string> {
    const topic = uniqueTopic(name);
    await setup.cluster.createTopic(topic);
    return topic;
  }

  test('what is committed counts, what is aborted doesn’t, and events tell of both', async () => {
    const topic = await topicFor('txn');
    await using kafka = setup.connect();
    const events: LifecycleEvent['type'][] = [];
    kafka.lifecycle.subscribe(({ type }) => events.push(type));
    const producer = kafka.producer({ transactionalId: uniqueTopic('id') });
    for (const [value, end] of [
      ['a', 'commit'],
      ['b', 'abort'],
      ['c', 'commit'],
      ['d', 'commit'],
    ] as const) {
      const txn = await producer.beginTransaction();
      await Promise.all([0, 1, 2].map((partition) => txn.send({ topic, partition, value })));
      await txn[end]();
    }
    expect(await committed(topic)).toEqual(['a', 'c', 'd', 'a', 'c', 'd', 'a', 'c', 'd']);
    expect(events.filter((type) => type.startsWith('transaction-'))).toEqual([
      'transaction-begun',
      'transaction-committed',
      'transaction-begun',
      'transaction-aborted',
      'transaction-begun',
      'transaction-committed',
      'transaction-begun',
      'transaction-committed',
    ]);
  });

  test('a transaction of nothing ends well', async () => {
    await using kafka = setup.connect();
    const producer = kafka.producer({ transactionalId: uniqueTopic('id') });
    for (const end of ['commit', 'abort', 'commit'] as const) {
      const txn = await producer.beginTransaction();
      await txn[end]();
    }
  });

  test('commit sends what lingers; after the end nothing more can be sent', async () => {
    const topic = await topicFor('txn');
    await using kafka = setup.connect();
    const producer = kafka.producer({ transactionalId: uniqueTopic('id'), lingerMs: 60_000 });
    const txn = await producer.beginTransaction();
    const sent = txn.send({ topic, partition: 0, value: 'a' });
    await txn.commit();
    await expect(sent).resolves.toMatchObject({ offset: 0 });
    const late = txn.send({ topic, partition: 0, value: 'b' });
    await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
    const outside = producer.send({ topic, partition: 0, value: 'c' });
    await expect(outside).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    expect(await committed(topic)).toEqual(['a']);
  });

  test('abort gives up what lingers, and the next transaction goes on', async () => {
    const topic = await topicFor('txn');
    await using kafka = setup.connect();
    const producer = kafka.producer({ transactionalId: uniqueTopic('id'), lingerMs: 60_000 });
    const first = await producer.beginTransaction();
    const sent = first.send({ topic, partition: 0, value: 'a' });
    const outcome = expect(sent).rejects.toBeInstanceOf(TransactionAbortedError);
    await first.abort();
    await outcome;
    const second = await producer.beginTransaction();
    const third = producer.beginTransaction();
    await expect(third).rejects.toMatchObject({ code: 'TRANSACTION_IN_PROGRESS' });
    void second.send({ topic, partition: 0, value: 'b' });
    await second.commit();
    expect(await committed(topic)).toEqual(['b']);
  });

  test('a record that can’t be sent spoils its transaction, not the producer', async () => {
    const topic = await topicFor('txn');
    await using kafka = setup.connect();
    const producer = kafka.producer({ transactionalId: uniqueTopic('id') });
    const spoilt = await producer.beginTransaction();
    await spoilt.send({ topic, partition: 0, value: 'a' });
    const tooLarge = spoilt.send({ topic, partition: 0, value: 'x'.repeat(2_000_000) });
    await expect(tooLarge).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
    await expect(spoilt.commit()).rejects.toBeInstanceOf(TransactionAbortedError);
    await spoilt.abort();
    const next = await producer.beginTransaction();
    await next.send({ topic, partition: 0, value: 'b' });
    await next.commit();
    expect(await committed(topic)).toEqual(['b']);
  });

  test('transaction() commits when its stream completes, and aborts when it errors', async () => {
    const topic = await topicFor('txn');
    await using kafka = setup.connect();
    const producer = kafka.producer({ transactionalId: uniqueTopic('id') });
    const values = (...texts: string[]) => from(texts);
    const offsets = await collect(
      producer.transaction((txn) =>
        values('a', 'b').pipe(
          concatMap((value) => txn.send({ topic, partition: 0, value })),
          map(({ offset }) => offset),
        ),
      ),
    );
    expect(offsets).toEqual([0, 1]);
    const failing = producer.transaction((txn) =>
      from(txn.send({ topic, partition: 0, value: 'c' })).pipe(
        concatMap(() => throwError(() => new Error('no'))),
      ),
    );
    await expect(collect(failing)).rejects.toThrow('no');
    expect(await committed(topic)).toEqual(['a', 'b']);
  });

  test('offsets of a group are committed with the transaction, or not at all', async () => {
    const from = await topicFor('from');
    const topic = await topicFor('to');
    await setup.cluster.write(from, 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    await using kafka = setup.connect();
    const groupId = `${from}-group`;
    const consumer = kafka.consumer({
      groupId,
      autoOffsetReset: 'earliest',
      enableAutoCommit: false,
    });
    const records = consumer.records(from).pipe(share());
    const leaving = records.subscribe((record) => record.ack());
    await firstValueFrom(records);
    const member = consumer.groupMetadata!;
    const producer = kafka.producer({ transactionalId: uniqueTopic('id') });
    const stored: (number | undefined)[] = [];
    for (const [offset, end] of [
      [1, 'commit'],
      [2, 'abort'],
      [3, 'commit'],
    ] as const) {
      const txn = await producer.beginTransaction();
      await txn.send({ topic, partition: 0, value: `${offset}` });
      const group = txn.hasMemberOffsets ? member : { groupId };
      await txn.sendOffsets(group, [{ topic: from, partition: 0, offset }]);
      await txn[end]();
      // Before 2.5 nobody can ask whether what was committed counts already.
      if (!hasGroupTransactions) await committed(topic);
      const [now] = await consumer.committed([{ topic: from, partition: 0 }]);
      stored.push(now?.offset);
    }
    expect(stored).toEqual([1, 1, 3]);
    if (hasGroupTransactions) {
      const late = await producer.beginTransaction();
      await late.send({ topic, partition: 0, value: 'late' });
      const before = { ...member, generationId: member.generationId - 1 };
      const offsets = [{ topic: from, partition: 0, offset: 9 }];
      await expect(late.sendOffsets(before, offsets)).rejects.toBeInstanceOf(
        TransactionAbortedError,
      );
      await late.abort();
      const [now] = await consumer.committed([{ topic: from, partition: 0 }]);
      expect(now?.offset).toBe(3);
    }
    expect(await committed(topic)).toEqual(['1', '3']);
    leaving.unsubscribe();
  });

  test('whoever takes over the id fences its predecessor, whose open transaction is aborted', async () => {
    const topic = await topicFor('txn');
    await using kafka = setup.connect();
    const transactionalId = uniqueTopic('id');
    const older = kafka.producer({ transactionalId });
    const abandoned = await older.beginTransaction();
    await abandoned.send({ topic, partition: 0, value: 'old' });
    const newer = kafka.producer({ transactionalId });
    const txn = await newer.beginTransaction();
    await txn.send({ topic, partition: 0, value: 'new' });
    await txn.commit();
    await expect(abandoned.commit()).rejects.toBeInstanceOf(FencedError);
    await expect(older.beginTransaction()).rejects.toBeInstanceOf(FencedError);
    expect(await committed(topic)).toEqual(['new']);
  });
}
