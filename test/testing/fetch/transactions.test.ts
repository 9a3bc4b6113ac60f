import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  decodeRecords,
  encodeControlBatch,
  encodeRecords,
  readBatches,
  type TransactionMarker,
} from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { OpenTransactions } from '../../../src/testing/state/open-transactions.js';
import { EmbeddedClient } from '../../support/embedded-client.js';
import { FakeClock, settled } from '../../support/fake-clock.js';

let cluster: EmbeddedKafka;
let client: EmbeddedClient;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({ listen: 'memory', clock, topics: { orders: 1 } });
  client = new EmbeddedClient(cluster);
});

afterEach(() => cluster.close());

const sequences = new Map<number, number>();

beforeEach(() => sequences.clear());

/** A batch of a producer's transaction. */
function write(producerId: number, ...values: string[]): number {
  const baseSequence = sequences.get(producerId) ?? 0;
  sequences.set(producerId, baseSequence + values.length);
  const records = values.map((value) => ({ value, timestamp: 1000 }));
  const producer = { producerId, producerEpoch: 0, baseSequence };
  return cluster.append('orders', 0, encodeRecords(records, { isTransactional: true, producer }));
}

/** A record outside of any transaction. */
function plain(value: string): number {
  return cluster.append('orders', 0, encodeRecords([{ value, timestamp: 1000 }]));
}

function end(producerId: number, kind: TransactionMarker['kind']): number {
  const marker = { kind, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1000 };
  return cluster.append('orders', 0, encodeControlBatch(marker));
}

async function fetch(
  options: { strict?: boolean; offset?: number; maxBytes?: number; maxWaitMs?: number } = {},
) {
  const { strict = true, offset = 0, maxBytes = 100_000, maxWaitMs = 0 } = options;
  const { responses } = await client.request('Fetch', 12, {
    maxWaitMs,
    minBytes: 1,
    isolationLevel: strict ? 1 : 0,
    topics: [
      {
        topic: 'orders',
        partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: maxBytes }],
      },
    ],
  });
  const [found] = responses[0]!.partitions;
  return {
    values: decodeRecords(found!.records!).map(({ value }) => String(value)),
    stable: found!.lastStableOffset,
    end: found!.highWatermark,
    aborted: found!.abortedTransactions,
  };
}

describe('read_committed', () => {
  test('ends in front of the first transaction that is open', async () => {
    plain('a');
    write(7, 'b');
    plain('c');
    expect(await fetch()).toEqual({ values: ['a'], stable: 1, end: 3, aborted: [] });
    expect(await fetch({ offset: 1 })).toMatchObject({ values: [] });
    expect(await fetch({ offset: 2 })).toMatchObject({ values: [] });
    expect(await fetch({ strict: false })).toEqual({
      values: ['a', 'b', 'c'],
      stable: 1,
      end: 3,
      aborted: null,
    });
    end(7, 'commit');
    expect(await fetch()).toEqual({ values: ['a', 'b', 'c'], stable: 4, end: 4, aborted: [] });
  });

  test('is told which transactions were aborted, and gets their records all the same', async () => {
    write(7, 'a');
    write(8, 'b');
    end(7, 'abort');
    expect(await fetch()).toMatchObject({ stable: 1, values: ['a'] });
    end(8, 'commit');
    const whole = await fetch();
    expect(whole.values).toEqual(['a', 'b']);
    expect(whole.aborted).toEqual([{ producerId: 7, firstOffset: 0 }]);
  });

  test('is told of two aborted transactions of one producer in the order of their ends', async () => {
    write(9, 'long');
    write(7, 'a');
    end(7, 'abort');
    write(7, 'b');
    end(7, 'abort');
    end(9, 'abort');
    expect((await fetch()).aborted).toEqual([
      { producerId: 7, firstOffset: 1 },
      { producerId: 7, firstOffset: 3 },
      { producerId: 9, firstOffset: 0 },
    ]);
  });

  test('is told of a transaction only where it has to do with what is read', async () => {
    const size = encodeRecords([{ value: 'a', timestamp: 1000 }]).length;
    write(7, 'a');
    end(7, 'abort');
    plain('b');
    write(8, 'c');
    end(8, 'abort');
    expect((await fetch({ maxBytes: size })).aborted).toEqual([{ producerId: 7, firstOffset: 0 }]);
    expect((await fetch({ offset: 2, maxBytes: size })).aborted).toEqual([]);
    // The marker alone may be beyond what is read.
    expect((await fetch({ offset: 3, maxBytes: size })).aborted).toEqual([
      { producerId: 8, firstOffset: 3 },
    ]);
  });

  test('does not wait for bytes that it may not have', async () => {
    write(7, 'a');
    const waiting = fetch({ maxWaitMs: 500 });
    await settled();
    expect(client.pending).toBe(1);
    end(7, 'commit');
    expect((await waiting).values).toEqual(['a']);
  });

  test('takes a marker without a transaction for nothing', async () => {
    end(7, 'abort');
    plain('a');
    expect(await fetch()).toMatchObject({ stable: 2, aborted: [] });
  });
});

describe('the log', () => {
  test('keeps nothing of transactions whose records are gone', () => {
    const transactions = new OpenTransactions();
    const producer = { producerId: 7, producerEpoch: 0, baseSequence: 0 };
    const [batch] = readBatches(
      encodeRecords([{ value: 'a' }], { isTransactional: true, producer }),
    );
    transactions.add(batch!, 0);
    transactions.end(batch!, 'abort', 1);
    transactions.deleteBefore(1);
    expect(transactions.hasAborted).toBe(true);
    transactions.deleteBefore(2);
    expect(transactions.hasAborted).toBe(false);
  });

  test('forgets aborted transactions with their records', async () => {
    write(7, 'a');
    end(7, 'abort');
    plain('b');
    await client.request('DeleteRecords', 2, {
      timeoutMs: 0,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, offset: 2 }] }],
    });
    expect(await fetch({ offset: 2 })).toMatchObject({ values: ['b'], aborted: [] });
  });

  test('opens a transaction again when its marker is cut off', async () => {
    write(7, 'a');
    end(7, 'abort');
    cluster.truncate('orders', 0, 1);
    expect(await fetch()).toMatchObject({ values: [], stable: 0, end: 1 });
    end(7, 'commit');
    expect(await fetch()).toMatchObject({ values: ['a'], stable: 2, aborted: [] });
  });

  test('tells ListOffsets where stable records end', async () => {
    plain('a');
    write(7, 'b');
    const ask = async (isolationLevel: number, timestamp: bigint) => {
      const { topics } = await client.request('ListOffsets', 7, {
        replicaId: -1,
        isolationLevel,
        topics: [
          {
            name: 'orders',
            partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }],
          },
        ],
      });
      return topics[0]!.partitions[0]!.offset;
    };
    expect([await ask(0, -1n), await ask(1, -1n)]).toEqual([2, 1]);
    end(7, 'commit');
    expect([await ask(0, -1n), await ask(1, -1n)]).toEqual([3, 3]);
  });
});
