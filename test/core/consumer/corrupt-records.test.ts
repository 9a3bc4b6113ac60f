import { concatMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeRecords, type EncodeOptions } from '../../../src/core/records/index.js';
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  LAST_OFFSET_DELTA_AT,
} from '../../../src/core/records/layout.js';
import { updateCrc } from '../../../src/core/records/patch-batch.js';
import { CorruptRecordError, type ConsumerOptions } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';
import { TransactionalLog } from '../../support/transactions.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

type Damage = (batch: Buffer) => Buffer;

/** A bit has flipped in the last byte. */
const flipped: Damage = (batch) => {
  batch[batch.length - 2]! ^= 1;
  return batch;
};

/** The checksum is right, but the second record is none. */
const unparsable: Damage = (batch) => {
  const second = BATCH_HEADER_BYTES + 1 + (batch[BATCH_HEADER_BYTES]! >> 1);
  batch.fill(0xff, second, second + 5);
  updateCrc(batch);
  return batch;
};

const whole: Damage = (batch) => batch;

/** The checksum is right, but what it covers is no frame of the codec. */
const garbled: Damage = (batch) => {
  batch.fill(0xff, BATCH_HEADER_BYTES, BATCH_HEADER_BYTES + 4);
  updateCrc(batch);
  return batch;
};

const wrongMagic: Damage = (batch) => {
  batch[16] = 9;
  return batch;
};

const wrongLength: Damage = (batch) => {
  batch.writeInt32BE(3, 8);
  return batch;
};

/** It claims to reach over what follows. */
const tooLong: Damage = (batch) => {
  batch.writeInt32BE(1000, LAST_OFFSET_DELTA_AT);
  return batch;
};

/** The newest format that a broker of a line has. */
function magicOf(version: string): 0 | 1 | 2 {
  if (version === '0.8.2' || version === '0.9') return 0;
  return version.startsWith('0.10') ? 1 : 2;
}

/** Two records in one batch. Returns the offset of the first. */
function append(
  sim: Simulation,
  partition: number,
  damage: Damage,
  options: EncodeOptions = {},
): number {
  const contents = [0, 1].map((i) => ({ value: `record ${i}`, timestamp: 1000 }));
  return sim.cluster.append(TOPIC, partition, damage(encodeRecords(contents, options)));
}

function start(partitions = 1) {
  return Simulation.start({ topics: { [TOPIC]: partitions } });
}

function consume(sim: Simulation, options: ConsumerOptions = {}) {
  const consumer = sim.kafka().consumer({ ...manual, ...options });
  const seen = watch(consumer.records(TOPIC), (record) => record.ack());
  return { consumer, seen };
}

/** Has the broker answer with bytes that no log would take: three batches, the second one damaged. */
function answerDamaged(sim: Simulation, damage: Damage): void {
  const batch = (baseOffset: number) =>
    encodeRecords(
      [
        { value: 'a', timestamp: 0 },
        { value: 'b', timestamp: 0 },
      ],
      { baseOffset },
    );
  const records = Buffer.concat([batch(0), damage(batch(2)), batch(4)]);
  for (let i = 0; i < 3; i++) append(sim, 0, whole);
  sim.cluster.intercept('Fetch', async ({ body }) => {
    const [topic] = body.topics;
    const [asked] = topic!.partitions;
    const isFirst = asked!.fetchOffset === 0;
    if (!isFirst) await new Promise<void>((done) => void sim.clock.schedule(body.maxWaitMs, done));
    const answer = { partitionIndex: 0, errorCode: 0, highWatermark: 6, abortedTransactions: null };
    const partitions = [{ ...answer, records: isFirst ? records : Buffer.alloc(0) }];
    return { responses: [{ topic: topic!.topic, topicId: topic!.topicId, partitions }] };
  });
}

describe.each([
  ['whose checksum is wrong', flipped, {}, [0, 1]],
  ['that can’t be decompressed', garbled, { compressionType: 'lz4' }, [0, 1]],
  ['with a record that can’t be parsed', unparsable, {}, [0, 1, 2]],
] as const)('a batch %s', (_title, damage, options, readable) => {
  it('ends the stream by default with an error that names it, after what came before', async () => {
    await using sim = await start();
    append(sim, 0, whole);
    append(sim, 0, damage, options);
    append(sim, 0, whole);
    const { seen } = consume(sim);
    await sim.until(() => seen.error !== undefined);
    expect(offsetsOf(seen.values)).toEqual(readable);
    expect(seen.error).toBeInstanceOf(CorruptRecordError);
    expect(seen.error).toMatchObject({ context: { ...where, offset: 2 } });
    expect((seen.error as Error).message).toMatch(/offset 2 of orders-0/);
  });

  it('is not committed past when it ends the stream', async () => {
    await using sim = await start();
    append(sim, 0, whole);
    append(sim, 0, damage, options);
    const { seen } = consume(sim, { groupId: 'billing' });
    await sim.until(() => seen.error !== undefined);
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(readable.length);
  });

  it('is passed over with an event under skip, and other partitions go on', async () => {
    await using sim = await start(2);
    append(sim, 0, whole);
    append(sim, 0, damage, options);
    append(sim, 0, whole);
    for (let i = 0; i < 3; i++) append(sim, 1, whole);
    const { seen } = consume(sim, { onCorruptRecord: 'skip' });
    await sim.until(() => seen.values.length === readable.length + 2 + 6);
    expect(offsetsOf(seen.values, 0)).toEqual([...readable, 4, 5]);
    expect(offsetsOf(seen.values, 1)).toEqual(upTo(6));
    const [skipped, ...more] = sim.eventsOf('skipped');
    expect(skipped).toMatchObject({ ...where, offset: readable.length, nextOffset: 4 });
    expect(skipped!.error).toBeInstanceOf(CorruptRecordError);
    expect(more).toEqual([]);
  });

  it('under skip is committed past only when all before it is acked', async () => {
    await using sim = await start();
    append(sim, 0, whole);
    append(sim, 0, damage, options);
    const consumer = sim
      .kafka()
      .consumer({ ...manual, groupId: 'billing', onCorruptRecord: 'skip' });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.position(where) === 4);
    seen.values[0]!.ack();
    await sim.run(consumer.commit());
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(1);
    for (const record of seen.values) record.ack();
    await sim.run(consumer.commit());
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(4);
  });

  it('under skip at the end of the log lets the consumer catch up', async () => {
    await using sim = await start();
    append(sim, 0, damage, options);
    const { consumer, seen } = consume(sim, { onCorruptRecord: 'skip' });
    await sim.until(() => sim.eventsOf('caught-up').length === 1);
    expect(consumer.position(where)).toBe(2);
    append(sim, 0, whole);
    await sim.until(() => offsetsOf(seen.values).at(-1) === 3);
  });
});

describe('a header that can’t be true', () => {
  const sessionless = { enableIncrementalFetchSessions: false } as const;

  it.each([
    ['a length', wrongLength],
    ['a magic', wrongMagic],
  ])(
    'of %s ends the stream whatever the policy: nobody knows where to go on',
    async (_title, damage) => {
      await using sim = await start();
      answerDamaged(sim, damage);
      const { seen } = consume(sim, { ...sessionless, onCorruptRecord: 'skip' });
      await sim.until(() => seen.error !== undefined);
      expect(offsetsOf(seen.values)).toEqual([0, 1]);
      expect(seen.error).toBeInstanceOf(CorruptRecordError);
      expect(seen.error).toMatchObject({ context: { ...where, offset: 2 } });
    },
  );

  it('of an end that lies in the batches behind it skips none of their records', async () => {
    await using sim = await start();
    answerDamaged(sim, tooLong);
    const { consumer, seen } = consume(sim, { ...sessionless, onCorruptRecord: 'skip' });
    await sim.until(() => consumer.position(where) === 6);
    expect(offsetsOf(seen.values)).toEqual([0, 1, 4, 5]);
    expect(sim.eventsOf('skipped')).toMatchObject([{ offset: 2, nextOffset: 4 }]);
    await sim.advance(5000);
    expect(seen.error).toBeUndefined();
  });
});

describe('a damaged batch among transactions, under read_committed and skip', () => {
  const strict = { onCorruptRecord: 'skip', isolationLevel: 'read_committed' } as const;

  it.each([
    ['by themselves', 1],
    ['all in one fetch', 100_000],
  ])(
    'that was the marker of an abort hides nothing the producer committed later, fetched %s',
    async (_title, maxPartitionFetchBytes) => {
      await using sim = await start();
      const log = new TransactionalLog(sim, TOPIC, 0);
      log.write(7, 2);
      log.abort(7, flipped);
      const kept = log.write(7, 2);
      log.commit(7);
      kept.push(...log.plain(1));
      const { consumer, seen } = consume(sim, { ...strict, maxPartitionFetchBytes });
      await sim.until(() => consumer.position(where) === 7);
      expect(offsetsOf(seen.values)).toEqual(kept);
      expect(sim.eventsOf('skipped')).toMatchObject([{ offset: 2, nextOffset: 3 }]);
    },
  );

  it('that was the marker of an abort leaves what is aborted later hidden', async () => {
    await using sim = await start();
    const log = new TransactionalLog(sim, TOPIC, 0);
    log.write(7, 2);
    log.abort(7, flipped);
    log.write(7, 2);
    log.abort(7);
    const kept = log.plain(1);
    const { consumer, seen } = consume(sim, strict);
    await sim.until(() => consumer.position(where) === 7);
    expect(offsetsOf(seen.values)).toEqual(kept);
  });

  it('is asked for no second time: each fetch begins behind it, and completes its handle', async () => {
    await using sim = await start();
    const log = new TransactionalLog(sim, TOPIC, 0);
    append(sim, 0, whole);
    append(sim, 0, flipped);
    const kept = [0, 1, ...log.plain(2)];
    const consumer = sim.kafka().consumer({ ...manual, ...strict });
    const records = consumer.fetches(TOPIC).pipe(concatMap((fetch) => fetch.records));
    const seen = watch(records, (record) => record.ack());
    await sim.until(() => seen.values.length === kept.length);
    expect(offsetsOf(seen.values)).toEqual(kept);
    expect(sim.eventsOf('skipped')).toHaveLength(1);
  });
});

describe('a batch whose header claims to be a marker, with a wrong checksum', () => {
  const claimsControl: Damage = (batch) => {
    batch[ATTRIBUTES_AT + 1]! |= 0x20;
    return batch;
  };

  it.each(['read_committed', 'read_uncommitted'] as const)(
    'ends the stream as any other that is damaged, under %s: no record is passed over in silence',
    async (isolationLevel) => {
      await using sim = await start();
      append(sim, 0, whole);
      append(sim, 0, claimsControl);
      append(sim, 0, whole);
      const { seen } = consume(sim, { isolationLevel });
      await sim.until(() => seen.error !== undefined);
      expect(offsetsOf(seen.values)).toEqual([0, 1]);
      expect(seen.error).toMatchObject({ context: { ...where, offset: 2 } });
    },
  );
});

describe('a batch of a later leader epoch that is damaged', () => {
  it('under skip is passed over once: its epoch is not taken for that of the position', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 1 } });
    append(sim, 0, whole);
    sim.cluster.moveLeader(TOPIC, 0, 2);
    append(sim, 0, flipped);
    const { consumer } = consume(sim, {
      onCorruptRecord: 'skip',
      isolationLevel: 'read_committed',
    });
    await sim.until(() => consumer.position(where) === 4);
    await sim.advance(5000);
    append(sim, 0, whole);
    await sim.until(() => consumer.position(where) === 6);
    expect(sim.eventsOf('truncated')).toEqual([]);
    expect(sim.eventsOf('skipped')).toHaveLength(1);
  });
});

describe('a broker that finds its own log damaged', () => {
  it('is asked again, with an event each time, while other partitions go on', async () => {
    await using sim = await start(2);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 5);
    const stop = sim.cluster.intercept('Fetch', ({ body }) => {
      const [topic] = body.topics;
      if (topic?.partitions.some(({ partition }) => partition === 0) !== true) return undefined;
      const failed = { errorCode: 2, highWatermark: -1, abortedTransactions: null };
      const partitions = [{ partitionIndex: 0, ...failed, records: Buffer.alloc(0) }];
      return { responses: [{ topic: topic.topic, topicId: topic.topicId, partitions }] };
    });
    const { seen } = consume(sim, { enableIncrementalFetchSessions: false });
    await sim.until(() => offsetsOf(seen.values, 1).length === 5);
    await sim.until(() => sim.eventsOf('fetch-failed').length > 2);
    expect(sim.eventsOf('fetch-failed')[0]).toMatchObject({ ...where, reason: 'CORRUPT_MESSAGE' });
    expect(seen.error).toBeUndefined();
    stop();
    await sim.until(() => offsetsOf(seen.values, 0).length === 5);
  });
});

describe('a record that is larger than what a fetch may bring (KIP-74)', () => {
  it.each(['0.8.2', '0.9', '0.10.0', '0.10.2', '0.11', '2.8', '4.3'] as const)(
    'is brought all the same by Kafka %s, in its order, and others go on',
    async (version) => {
      await using sim = await Simulation.start({ version, topics: { [TOPIC]: 2 } });
      const magic = magicOf(version);
      for (const partition of [0, 1]) {
        for (const padding of [0, 50_000, 0]) fill(sim, TOPIC, partition, 1, { padding, magic });
      }
      const limits = {
        maxPartitionFetchBytes: 2000,
        fetchMaxBytes: 4000,
        maxBufferedBytes: 10_000,
      };
      const { seen } = consume(sim, limits);
      await sim.until(() => seen.values.length === 6);
      for (const partition of [0, 1]) expect(offsetsOf(seen.values, partition)).toEqual(upTo(3));
    },
  );
});
