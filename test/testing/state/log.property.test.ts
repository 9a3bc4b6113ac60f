import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRecords, encodeRecords, readBatches } from '../../../src/core/records/index.js';
import type { Log } from '../../../src/testing/state/log.js';
import { newLog } from './records.js';

/** What a log should be: the records that can be read, the oldest first, and where it goes on. */
interface Model {
  start: number;
  end: number;
  /** Each batch with the number that its values carry. */
  batches: { readonly base: number; readonly count: number; readonly tag: number }[];
  nextTag: number;
}

interface Action {
  readonly name: string;
  run(log: Log, model: Model): void;
}

const append: fc.Arbitrary<Action> = fc
  .record({
    count: fc.integer({ min: 1, max: 20 }),
    padding: fc.integer({ min: 0, max: 600 }),
    compressionType: fc.constantFrom('none', 'lz4', 'gzip'),
  })
  .map(({ count, padding, compressionType }) => ({
    name: `append ${count} of ${padding} bytes, ${compressionType}`,
    run(log, model) {
      const tag = model.nextTag++;
      const records = Array.from({ length: count }, (_, i) => ({
        key: 'p'.repeat(padding),
        value: `${tag}/${i}`,
        timestamp: tag,
      }));
      const { baseOffset } = log.append(
        readBatches(encodeRecords(records, { compressionType })),
        0,
        0,
      );
      expect(baseOffset).toBe(model.end);
      model.batches.push({ base: baseOffset, count, tag });
      model.end += count;
    },
  }));

/** A place in the log, as a share of what there is, and a little beyond. */
const place = fc.double({ min: 0, max: 1.1, noNaN: true });
const offsetAt = ({ start, end }: Model, share: number) =>
  start + Math.floor((end - start) * share + 0.5);

const truncate: fc.Arbitrary<Action> = place.map((share) => ({
  name: `truncate at ${share}`,
  run(log, model) {
    const offset = offsetAt(model, share);
    log.truncateTo(offset);
    if (offset >= model.end) return;
    while (model.batches.length > 0 && lastOf(model).base + lastOf(model).count > offset) {
      model.end = model.batches.pop()!.base;
    }
    if (model.batches.length === 0) model.end = Math.min(model.end, offset);
    model.start = Math.min(model.start, model.end);
  },
}));

const lastOf = ({ batches }: Model) => batches.at(-1)!;

const deleteRecords: fc.Arbitrary<Action> = place.map((share) => ({
  name: `delete before ${share}`,
  run(log, model) {
    const offset = Math.min(model.end, offsetAt(model, share));
    log.deleteBefore(offset);
    drop(model, offset);
  },
}));

function drop(model: Model, offset: number): void {
  model.start = Math.max(model.start, offset);
  model.batches = model.batches.filter(({ base, count }) => base + count > model.start);
}

function check(log: Log, model: Model): void {
  expect([log.startOffset, log.endOffset]).toEqual([model.start, model.end]);
  const expected = model.batches.flatMap(({ base, count, tag }) =>
    Array.from({ length: count }, (_, i) => ({ offset: base + i, value: `${tag}/${i}` })),
  );
  expect(valuesFrom(log, model.start)).toEqual(expected);
}

/** Reads with a limit, goes on after what came, and so on to the end, as a consumer does. */
function valuesFrom(log: Log, from: number, maxBytes = 3000) {
  const found: { offset: number; value: string }[] = [];
  let at = from;
  while (at < log.endOffset) {
    const records = decodeRecords(log.read(at, maxBytes, true).records);
    expect(records.length).toBeGreaterThan(0);
    found.push(...records.map(({ offset, value }) => ({ offset, value: String(value) })));
    at = records.at(-1)!.offset + 1;
  }
  return found;
}

const actions = (...kinds: fc.Arbitrary<Action>[]) =>
  fc.array(fc.oneof(...kinds), { maxLength: 40 });

test('whatever is appended, truncated and deleted, offsets stay dense and records are those of the model', () => {
  fc.assert(
    fc.property(
      actions(append, append, append, truncate, deleteRecords),
      fc.constantFrom('20000', '1073741824'),
      (script, segmentBytes) => {
        const log = newLog({ 'segment.bytes': segmentBytes });
        const model: Model = { start: 0, end: 0, batches: [], nextTag: 0 };
        for (const action of script) {
          action.run(log, model);
          check(log, model);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('whatever is appended, retention keeps the newest records, without a gap, and as many bytes as wanted', () => {
  fc.assert(
    fc.property(actions(append), fc.integer({ min: 0, max: 30_000 }), (script, retentionBytes) => {
      const log = newLog({ 'segment.bytes': '20000', 'retention.bytes': String(retentionBytes) });
      const model: Model = { start: 0, end: 0, batches: [], nextTag: 0 };
      let before = log.startOffset;
      for (const action of script) {
        action.run(log, model);
        expect(log.startOffset).toBeGreaterThanOrEqual(before);
        before = log.startOffset;
        drop(model, log.startOffset);
        check(log, model);
        const isWhole = log.startOffset === 0;
        if (!isWhole) expect(log.sizeBytes).toBeGreaterThanOrEqual(retentionBytes);
      }
    }),
    { numRuns: 100 },
  );
});

test('whatever was cut and added, a time is found where a scan finds it', () => {
  fc.assert(
    fc.property(
      actions(append, append, truncate, deleteRecords),
      fc.integer({ min: -1, max: 45 }),
      (script, time) => {
        const log = newLog();
        const model: Model = { start: 0, end: 0, batches: [], nextTag: 0 };
        for (const action of script) action.run(log, model);
        const first = model.batches.find(({ tag }) => tag >= time);
        const offset = first === undefined ? undefined : Math.max(first.base, model.start);
        expect(log.findByTime(BigInt(time))?.offset).toBe(offset);
        const latest = model.batches.at(-1);
        const latestOffset = latest === undefined ? undefined : Math.max(latest.base, model.start);
        expect(log.findLatest()?.offset).toBe(latestOffset);
      },
    ),
    { numRuns: 150 },
  );
});
