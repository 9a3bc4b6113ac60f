import * as rxjs from 'rxjs';
import { describe, expect, test } from 'vitest';
import * as rxKafka from '../../src/index.js';
import * as protocol from '../../src/protocol.js';
import * as testing from '../../src/testing/index.js';
import { committed } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';
import { blocksOf, examplesIn, runExample } from './examples.js';

interface Order {
  readonly id: string;
  readonly total: number;
}

const topics = {
  ...{
    orders: 2,
    invoices: 1,
    parcels: 1,
    audit: 1,
    totals: 1,
    counts: 1,
    pairs: 1,
    lines: 1,
    accounts: 1,
  },
  ...{ clicks: 1, alerts: 1, 'orders.dead': 1, 'orders.retry.10s': 1, 'orders.retry.10m': 1 },
};

const ORDERS: readonly Order[] = [
  { id: 'a', total: 80 },
  { id: 'b', total: 150 },
  { id: 'a', total: 80 },
  { id: 'c', total: 300 },
];

/** A cluster on which an example runs, with four orders of two customers. */
class Stage implements AsyncDisposable {
  /** What was charged, saved, reviewed or printed. */
  readonly done: unknown[] = [];
  readonly kafka: rxKafka.Kafka;

  private constructor(private readonly sim: Simulation) {
    this.kafka = sim.kafka();
  }

  static async set(): Promise<Stage> {
    const sim = await Simulation.start({ topics });
    const stage = new Stage(sim);
    // Groups that have begun already: a new one would begin behind the orders.
    for (const groupId of ['billing', 'audit']) {
      const source = rxKafka.fromTopics(sim.kafka(), 'orders', { groupId });
      const seen = watch(source);
      await sim.until(() => stage.isCommitted(groupId, 0));
      seen.subscription.unsubscribe();
      await sim.advance(60_000);
    }
    const producer = stage.kafka.producer({ valueSerializer: rxKafka.json<Order>() });
    for (const [i, value] of ORDERS.entries()) {
      const key = i % 2 === 0 ? 'anna' : 'bert';
      await sim.run(producer.send({ topic: 'orders', partition: 0, key, value }));
    }
    return stage;
  }

  isCommitted(groupId: string, offset: number): boolean {
    return committed(this.sim.cluster, groupId, 'orders') === offset;
  }

  valuesIn(topic: string): string[] {
    return this.sim.cluster.records(topic).map(({ value }) => String(value));
  }

  until(holds: () => boolean): Promise<void> {
    return this.sim.until(holds);
  }

  /** Runs an example until something holds. */
  async play(code: string, holds: () => boolean): Promise<void> {
    let failure: unknown;
    const fail = (error: unknown) => (failure = error);
    const { kafka } = this;
    const own = { ...protocol, ...rxjs, ...rxKafka, ...testing, ...this.world(), kafka };
    runExample(code, own).catch(fail);
    rxjs.config.onUnhandledError = fail;
    try {
      await this.sim.until(() => holds() || failure !== undefined);
    } finally {
      rxjs.config.onUnhandledError = null;
    }
    expect(failure).toBeUndefined();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sim[Symbol.asyncDispose]();
  }

  private world(): Record<string, unknown> {
    const options = { groupId: 'billing', valueDeserializer: rxKafka.json<Order>() };
    const does = (what: unknown) => {
      this.done.push(what);
      return Promise.resolve();
    };
    return {
      orders: rxKafka.fromTopics(this.kafka, 'orders', options),
      consumer: this.kafka.consumer(options),
      clicks: rxjs.of({ user: 'anna' }, { user: 'root' }),
      charge: does,
      save: does,
      review: does,
      print: (what: unknown) => void this.done.push(what),
      forget: does,
      invoice: (order: unknown) => JSON.stringify({ invoice: order }),
      console: { log: (...what: unknown[]) => this.done.push(...what) },
      createKafka: () => this.kafka,
      producer: this.kafka.producer(),
      process: { once: () => undefined },
      interval: () => rxjs.range(0, 5),
      transfers: rxjs.of({ topic: 'accounts', value: '+5' }, { topic: 'accounts', value: '-5' }),
      carts: rxjs.of('one', 'two'),
      checkOut: (cart: string, txn: rxKafka.Transaction) =>
        txn.send({ topic: 'orders', partition: 1, value: cart }),
      createReadStream: () => undefined,
      createInterface: () => ['one', 'two'],
      // At night `pauseWhile` would wait for the morning.
      Date: class extends Date {
        override getHours = () => 12;
      },
    };
  }
}

type Outcome = (stage: Stage) => boolean;

/** So much was done. */
function done(count: number): Outcome {
  return (stage) => stage.done.length === count;
}

/** So much was done, and all orders are committed. */
function finished(count: number, groupId = 'billing'): Outcome {
  return (stage) => done(count)(stage) && stage.isCommitted(groupId, ORDERS.length);
}

/** So many records are in a topic, and so much was done besides. */
function written(topic: string, count: number, others = 0): Outcome {
  return (stage) => stage.valuesIn(topic).length === count && done(others)(stage);
}

function all(...outcomes: readonly Outcome[]): Outcome {
  return (stage) => outcomes.every((holds) => holds(stage));
}

const committedAll = (stage: Stage) => stage.isCommitted('billing', ORDERS.length);

/** What is to come of the examples of a file. */
const outcomes: Readonly<Record<string, readonly Outcome[]>> = {
  'operators/ack-each': [finished(4, 'audit')],
  'operators/aggregate-each': [all(written('totals', 2), committedAll)],
  'operators/batch-each': [finished(1)],
  'operators/batching/batch': [finished(1), all(written('counts', 2), committedAll)],
  'operators/dead-letter': [finished(4)],
  'operators/dedupe-each': [finished(3)],
  'operators/exhaust-each': [finished(2)],
  'operators/fan-out': [all(written('audit', 4, 4), committedAll)],
  'operators/filter-each': [finished(2)],
  'operators/flat-map-each': [all(written('invoices', 4), written('parcels', 4), committedAll)],
  'operators/map-each': [finished(4)],
  'operators/of-type': [done(0)],
  'operators/pause-while': [finished(4)],
  'operators/process-each': [finished(4)],
  'operators/process-partitioned': [finished(1)],
  'operators/retry-each': [finished(4)],
  'operators/retry-topics': [finished(4)],
  'operators/switch-each': [finished(4)],
  'operators/tee': [all(written('audit', 4, 4), committedAll)],
  'operators/throttle-bytes': [finished(4)],
  'operators/transactional': [
    all((stage) => stage.valuesIn('invoices').length === 4, committedAll),
  ],
  'operators/until-caught-up': [finished(5)],
  'operators/until-offsets': [finished(0)],
  'operators/with-lag': [finished(8)],
  'sinks/send-all': [all((stage) => stage.done[0] === 2, written('lines', 2, 1))],
  'sinks/to-commit': [finished(4, 'audit')],
  'sinks/to-topic': [written('clicks', 2, 4)],
  'sinks/to-topics': [all(written('clicks', 2), written('alerts', 1))],
  'sinks/to-transaction': [all((stage) => stage.valuesIn('clicks').length === 2, done(1))],
  'sources/from-fetches': [committedAll],
  'sources/from-offset-range': [(stage) => stage.done[0] === '4 within the last hour'],
  'sources/from-partitions': [done(4)],
  'sources/from-topics': [finished(4)],
  'sources/from-topics-by-partition': [finished(4)],
  'core/consumer/iterate': [done(4)],
  'core/consumer/record/consumer-record': [
    all(done(12), committedAll),
    all(written('invoices', 4), committedAll),
  ],
  'core/consumer/record/derive-from': [all(written('pairs', 2), committedAll)],
};

const folders = ['src/operators', 'src/sinks', 'src/sources', 'src/core/consumer'];
const shown = folders.flatMap(examplesIn).map(({ where, code }) => ({
  file: where.replace(/^src\/|\.ts$/g, ''),
  code,
}));

describe('the example of', () => {
  test('every operator, sink and source is among these', () => {
    const files = shown.map(({ file }) => file).filter((file) => !file.startsWith('core/'));
    expect(Object.keys(outcomes)).toEqual(expect.arrayContaining(files));
  });

  test.each(Object.keys(outcomes))('%s does what it says', async (file) => {
    const examples = shown.filter((example) => example.file === file);
    expect(examples).toHaveLength(outcomes[file]!.length);
    for (const [i, { code }] of examples.entries()) {
      await using stage = await Stage.set();
      await stage.play(code, () => outcomes[file]![i]!(stage));
    }
  });
});

const told = (stage: Stage, what: string) => stage.done.includes(what);

/**
 * What is to come of what the README shows, block by block. Not of that with one line for each kind of
 * source, all members of the same groups, nor of pipelines that are for the reader to subscribe to.
 */
const readme: Readonly<Record<number, Outcome>> = {
  0: finished(4),
  3: written('clicks', 5, 10),
  4: (stage) => stage.valuesIn('clicks').length === 1 && told(stage, 'all written'),
  5: (stage) => stage.valuesIn('invoices').length === 4 && told(stage, '4 orders, 4 invoices'),
  6: (stage) => stage.valuesIn('accounts').length === 4 && stage.valuesIn('orders').includes('two'),
};

describe('README.md', () => {
  const blocks = blocksOf('README.md');

  test.each(Object.keys(readme).map(Number))('block %i does what it says', async (i) => {
    await using stage = await Stage.set();
    await stage.play(blocks[i]!.code, () => readme[i]!(stage));
  });

  test.each([7, 8, 9])('block %i runs by itself', async (i) => {
    const run = (_: string, body: () => unknown) => body();
    await runExample(blocks[i]!.code, { ...protocol, ...rxjs, ...rxKafka, ...testing, test: run });
  });
});

describe('docs/testing.md', () => {
  test.each(blocksOf('docs/testing.md', 'test'))('$where passes', async ({ code }) => {
    const bodies: (() => unknown)[] = [];
    const collect = (_: string, body: () => unknown) => bodies.push(body);
    await runExample(code, { ...rxjs, ...rxKafka, ...testing, test: collect });
    expect(bodies).toHaveLength(1);
    for (const body of bodies) await body();
  });
});
