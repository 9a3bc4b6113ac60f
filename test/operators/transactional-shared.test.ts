// On the embedded broker: what became of a transaction, only its coordinators and readers know.

import { map, share, tap, type OperatorFunction } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  fromTopics,
  mapEach,
  transactional,
  type ConsumerRecord,
  type TransactionalOptions,
} from '../../src/index.js';
import { committed } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { committedValues, fill, watch } from '../support/watching.js';

const TRANSACTION_ABORTABLE = 120;

const start = () => Simulation.start({ topics: { in: 1, out: 1 } });

interface Setup {
  readonly options?: Partial<TransactionalOptions>;
  /** In front of `transactional`. */
  readonly before?: OperatorFunction<ConsumerRecord, ConsumerRecord>;
  /** The other subscriber, who is given each record first. */
  readonly other?: (record: ConsumerRecord) => void;
  /** Called as a transaction works on a record, with those that the other subscriber has. */
  readonly meanwhile?: (offset: number, others: readonly ConsumerRecord[]) => void;
}

const nothing = () => undefined;

/** Four records for `transactional` and for somebody else, in one transaction if there are no options. */
async function shareOut(
  sim: Simulation,
  { options, before = (records) => records, other = nothing, meanwhile = nothing }: Setup = {},
) {
  const kafka = sim.kafka();
  const source = { groupId: 'g', isolationLevel: 'read_committed' } as const;
  const records = fromTopics(kafka, 'in', source).pipe(share());
  let attempts = 0;
  const copying = records.pipe(
    before,
    transactional(kafka, { transactionalId: 'id', maxWaitMs: 1000, ...options }, (part) => {
      attempts++;
      return part.pipe(
        tap(({ offset }) => meanwhile(offset, others)),
        map((record) => record.derive({ topic: 'out', partition: 0 })),
      );
    }),
  );
  const others: ConsumerRecord[] = [];
  const seen = watch(copying);
  records.subscribe({
    next: (record) => {
      others.push(record);
      other(record);
    },
    error: nothing,
  });
  // Before it listens, `transactional` takes its id over.
  await sim.advance(5000);
  fill(sim, 'in', 0, 4);
  await sim.until(() => others.length === 4);
  return { seen, others, attempts: () => attempts };
}

const written = (sim: Simulation) => committedValues(sim, 'out');

const stored = (sim: Simulation) => committed(sim.cluster, 'g', 'in', 0);
const values = (...offsets: number[]) => offsets.map((offset) => `0:${offset}`);
const takenAt = (offset: number) => ({
  code: 'RECORD_TAKEN',
  context: { topic: 'in', partition: 0, offset },
});

describe('transactional beside another subscriber of share()', () => {
  it.each<[string, (record: ConsumerRecord) => void]>([
    ['acks', (record) => record.ack()],
    ['nacks', (record) => record.nack(new Error('not mine'))],
    ['gives back', (record) => record.giveBack()],
  ])('that %s a record of its transaction ends with nothing committed', async (_, settle) => {
    await using sim = await start();
    const onAbort = () => {
      throw new Error('is not asked');
    };
    const { seen, others, attempts } = await shareOut(sim, { options: { onAbort } });
    settle(others[1]!);
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject(takenAt(1));
    expect(attempts()).toBe(1);
    expect(await written(sim)).toEqual([]);
    expect(stored(sim) ?? 0).toBe(0);
  });

  it('that acks what a record of its transaction was mapped from is noticed as well', async () => {
    await using sim = await start();
    const { seen, others } = await shareOut(sim, { before: mapEach(({ value }) => value) });
    others[1]!.ack();
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject(takenAt(1));
    expect(await written(sim)).toEqual([]);
  });

  it('that acks what is mapped after that is noticed before a transaction begins', async () => {
    await using sim = await start();
    const { seen, attempts } = await shareOut(sim, {
      before: mapEach(({ value }) => value),
      other: (record) => {
        if (record.offset === 0) record.ack();
      },
    });
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject(takenAt(0));
    expect(attempts()).toBe(0);
  });

  it('that acks a record which waits for the next transaction: this one does not pass it', async () => {
    await using sim = await start();
    const { seen, attempts } = await shareOut(sim, {
      options: { maxRecords: 2 },
      meanwhile: (offset, others) => {
        if (offset === 1) others[2]!.ack();
      },
    });
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject(takenAt(2));
    expect(attempts()).toBe(1);
    expect(await written(sim)).toEqual([]);
    expect(stored(sim) ?? 0).toBe(0);
  });

  it('that acks while the commit is under way does no harm when that succeeds', async () => {
    await using sim = await start();
    const { seen, others } = await shareOut(sim);
    sim.cluster.intercept('EndTxn', () => {
      for (const record of others) record.ack();
      return undefined;
    });
    await sim.until(() => stored(sim) === 4 || seen.error !== undefined);
    expect(seen.error).toBeUndefined();
    expect(await written(sim)).toEqual(values(0, 1, 2, 3));
  });

  it('that acks while the commit is under way is noticed when that fails', async () => {
    await using sim = await start();
    const { seen, others, attempts } = await shareOut(sim);
    let isFirst = true;
    sim.cluster.intercept('EndTxn', () => {
      others[3]!.ack();
      if (!isFirst) return undefined;
      isFirst = false;
      return { errorCode: TRANSACTION_ABORTABLE };
    });
    await sim.until(() => stored(sim) === 4 || seen.error !== undefined);
    expect(seen.error).toMatchObject(takenAt(3));
    expect(attempts()).toBe(1);
    expect(await written(sim)).toEqual([]);
    expect(stored(sim) ?? 0).toBe(0);
  });

  it('that acks once the transaction is committed changes nothing', async () => {
    await using sim = await start();
    const { seen, others } = await shareOut(sim);
    await sim.until(() => seen.values.length === 1);
    for (const record of others) record.ack();
    fill(sim, 'in', 0, 2);
    await sim.until(() => stored(sim) === 6 || seen.error !== undefined);
    expect(seen.error).toBeUndefined();
    expect(await written(sim)).toEqual(values(0, 1, 2, 3, 4, 5));
  });
});
