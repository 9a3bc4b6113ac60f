import { Cluster } from '../../src/core/cluster/index.js';
import { resolveKafkaOptions } from '../../src/core/kafka-options.js';
import {
  createKafka,
  type Kafka,
  type KafkaOptions,
  type LifecycleEvent,
} from '../../src/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../src/testing/index.js';
import { FakeClock, settled } from './fake-clock.js';

const MAX_VIRTUAL_MS = 3_600_000;

/**
 * A cluster and its clients in this process on one virtual clock, without sockets: what takes minutes
 * takes milliseconds, and runs the same each time.
 *
 * @example
 * await using sim = await Simulation.start({ topics: { orders: 3 } });
 * const producer = sim.kafka().producer();
 * const receipt = await sim.run(producer.send({ topic: 'orders', value: 'hello' }));
 */
export class Simulation implements AsyncDisposable {
  /** What the clients of this simulation reported. */
  readonly events: LifecycleEvent[] = [];
  private readonly closers: (() => Promise<void>)[] = [];

  private constructor(
    readonly clock: FakeClock,
    readonly cluster: EmbeddedKafka,
  ) {}

  static async start(
    options: Omit<EmbeddedKafkaOptions, 'listen' | 'clock'> = {},
    seed = 1,
  ): Promise<Simulation> {
    const clock = new FakeClock(undefined, seed);
    const cluster = await startEmbeddedKafka({ ...options, listen: 'memory', clock });
    return new Simulation(clock, cluster);
  }

  /** A client of the cluster. */
  kafka(options: Partial<KafkaOptions> = {}): Kafka {
    const kafka = createKafka(this.optionsWith(options));
    kafka.lifecycle.subscribe((event) => this.events.push(event));
    this.closers.push(() => kafka.close({ timeoutMs: 0 }));
    return kafka;
  }

  /** The cluster layer of a client alone. */
  client(options: Partial<KafkaOptions> = {}): Cluster {
    const client = new Cluster({
      ...resolveKafkaOptions(this.optionsWith(options)),
      onEvent: (event) => this.events.push(event),
    });
    this.closers.push(() => client.close());
    return client;
  }

  /** The events of one type that were reported so far. */
  eventsOf<T extends LifecycleEvent['type']>(type: T): Extract<LifecycleEvent, { type: T }>[] {
    return this.events.filter(
      (event): event is Extract<LifecycleEvent, { type: T }> => event.type === type,
    );
  }

  /** Lets everything go on that can go on without time passing. */
  async calm(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await settled();
  }

  /** Moves time on, timer by timer, with everything that follows from each. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.monotonic() + ms;
    await this.calm();
    for (;;) {
      const next = this.clock.nextInMs;
      const left = end - this.clock.monotonic();
      if (next === undefined || next > left) break;
      this.clock.advance(next);
      await this.calm();
    }
    this.clock.advance(end - this.clock.monotonic());
    await this.calm();
  }

  /** Moves time on until a promise is settled, and gives what it is settled with. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const done = () => (isSettled = true);
    promise.then(done, done);
    await this.until(() => isSettled);
    return promise;
  }

  /** Moves time on until a condition holds. */
  async until(holds: () => boolean): Promise<void> {
    const start = this.clock.monotonic();
    for (;;) {
      for (let turn = 0; turn < 20 && !holds(); turn++) await settled();
      if (holds()) return;
      const next = this.clock.nextInMs;
      if (next === undefined) throw new Error('nothing is left that could make it come true');
      if (this.clock.monotonic() - start > MAX_VIRTUAL_MS) {
        throw new Error('an hour of virtual time was not enough');
      }
      this.clock.advance(next);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.closers) await this.run(close());
    await this.cluster.close();
  }

  private optionsWith(options: Partial<KafkaOptions>): KafkaOptions {
    const { cluster, clock } = this;
    const { bootstrapServers, transport } = cluster;
    return { bootstrapServers, transport, clock, ...options };
  }
}

/** What a promise was rejected with; fails where it was not. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${String(value)}`);
    },
    (error: unknown) => error,
  );
}
