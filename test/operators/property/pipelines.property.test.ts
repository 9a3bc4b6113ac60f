import fc from 'fast-check';
import { lastValueFrom, retry, tap, timer, type Observable } from 'rxjs';
import { expect, test } from 'vitest';
import { ackEach, string, type ConsumerRecord } from '../../../src/index.js';
import {
  kafkaMarbles,
  kafkaMarblesAsync,
  type KafkaMarbleHelpers,
  type MarbleRetries,
} from '../../../src/testing/index.js';
import { Builder } from './build.js';
import { scenarios, type Scenario } from './scenario.js';
import { Truth } from './truth.js';

/** Longer than anything in a scenario takes. */
const LONG_MS = 5000;

test('no pipeline of our operators acks a record early or twice, or loses one', async () => {
  await fc.assert(playing('Observables'), { numRuns: 600 });
}, 120_000);

test('nor where the work is promises', async () => {
  await fc.assert(playing('promises'), { numRuns: 600 });
}, 120_000);

test('nor while a sink that has failed can’t tell so yet', () => {
  const property = fc.property(scenarios, (scenario) => {
    kafkaMarbles((t) => {
      const run = play(scenario, t, 'Observables', 'timers');
      try {
        while (run.next().done !== true) t.flush();
      } finally {
        run.return(undefined);
      }
    })();
  });
  fc.assert(property, { numRuns: 600 });
}, 120_000);

function playing(work: 'Observables' | 'promises') {
  return fc.asyncProperty(scenarios, (scenario) =>
    kafkaMarblesAsync(async (t) => {
      const run = play(scenario, t, work, 'timers and promises');
      try {
        while (run.next().done !== true) await lastValueFrom(timer(LONG_MS));
      } finally {
        run.return(undefined);
      }
    })(),
  );
}

/** Yields where everything is to happen that will. */
function* play(
  scenario: Scenario,
  t: KafkaMarbleHelpers,
  work: 'Observables' | 'promises',
  waitsFor: 'timers' | 'timers and promises',
): Generator<void> {
  const { marbles, definitions, maxUnackedRecords, drainTimeoutMs, retries } = scenario;
  const orders = t.records<Buffer | null, string>(marbles, definitions as never, {
    valueSerde: string(),
    maxUnackedRecords,
    drainTimeoutMs,
    nackBackoffMs: 3,
    nackBackoffMaxMs: 6,
  });
  t.lifecycle(orders, scenario.lifecycle, scenario.moves);
  const truth = new Truth(scenario.pipeline);
  const builder = new Builder(t, truth, scenario, work);
  const subscription = builder
    .build(scenario.pipeline)(orders.pipe(tap((record) => truth.delivered(record))))
    .pipe(retry({ count: retries, delay: 2 }))
    .subscribe({ error: () => undefined });
  if (scenario.unsubscribeAt !== undefined) {
    timer(scenario.unsubscribeAt).subscribe(() => subscription.unsubscribe());
  }
  try {
    yield;
    expect(truth.complaints).toEqual([]);
    // All work is over: what is left would be left for ever. Where no promise is waited for, a sink that
    // has failed is closing its producer, and the pipeline is yet to end.
    if (waitsFor === 'timers and promises' && !subscription.closed) {
      expect(truth.open.map(({ unacked }) => unacked)).toEqual(truth.open.map(() => 0));
    }
  } finally {
    // Also where it has failed: nothing may go on when its virtual time has ended.
    subscription.unsubscribe();
  }
  yield;
  yield* rest(scenario, t, orders);
  if (waitsFor === 'timers and promises') {
    for (const retries of builder.retries) yield* restOf(retries, t);
  }
  expect(truth.complaints).toEqual([]);
}

/** Whoever comes next gets everything from where the group has committed, and nothing is missing. */
function* rest(
  { definitions }: Scenario,
  t: KafkaMarbleHelpers,
  orders: Observable<ConsumerRecord<Buffer | null, string>>,
): Generator<void> {
  const { committed } = t.snapshot(orders);
  const got: string[] = [];
  t.lifecycle(orders, 'A');
  const next = orders
    .pipe(ackEach<ConsumerRecord<Buffer | null, string>>())
    .subscribe(({ value }) => got.push(value));
  yield;
  const logs = new Map<number, string[]>();
  for (const { partition = 0, value } of Object.values(definitions)) {
    logs.set(partition, [...(logs.get(partition) ?? []), String(value)]);
  }
  const expected = [...logs].flatMap(([partition, log]) => log.slice(committed[partition]));
  expect(got.sort()).toEqual(expected.sort());
  next.unsubscribe();
  yield;
}

/** Nor is anything missing that was to be tried again: of the first retry topic, as all are alike. */
function* restOf(retries: MarbleRetries, t: KafkaMarbleHelpers): Generator<void> {
  const { committed } = t.snapshot(retries.records);
  t.lifecycle(retries.records, 'A');
  const got: string[] = [];
  const next = retries.records
    .pipe(ackEach())
    .subscribe(({ topic, value }) => topic === 'retry0' && got.push(String(value)));
  yield;
  const log = retries.written.filter(({ topic }) => topic === 'retry0');
  expect(got).toEqual(log.slice(committed[0]).map(({ value }) => String(value)));
  next.unsubscribe();
  yield;
}
