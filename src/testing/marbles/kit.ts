import { Observable, Subscription } from 'rxjs';
import type { TestScheduler } from 'rxjs/testing';
import type { ConsumerRecord } from '../../core/consumer/record/consumer-record.js';
import type { DeserializerOptions } from '../../core/consumer/delivering/decoder.js';
import type { ConsumerEvent } from '../../core/consumer/events.js';
import type { Clock } from '../../core/util/clock.js';
import { lettersOf, parseDiagram } from './diagram.js';
import { Expectation, subscriptionFrames, type Expectable } from './expectation.js';
import { asDrawn } from './letters.js';
import { playLifecycle, type LifecycleMoves } from './lifecycle.js';
import { heldByNothing, logsFor, MarbleConsumer, type Note } from './marble-consumer.js';
import { MarbleRetries } from './marble-retries.js';
import { MarbleSink, type MarbleSinkOptions, type SinkAnswers } from './marble-sink.js';
import { completeAt, errorAt, nextAt, type Observed } from './observed.js';
import {
  complaintAboutLetter,
  contentsOf,
  type AnyDefinitions,
  type RecordDefinitions,
  type RecordsOptions,
  type RetriesOptions,
} from './record-definitions.js';

/** Records of a diagram, whatever their types. */
export type AnyRecords = Observable<ConsumerRecord<unknown, unknown>>;

/** How a consumer of a diagram stands. */
export interface MarbleSnapshot {
  /** Letters of what was delivered and neither acked nor given back. */
  readonly inHand: readonly string[];
  /** Where the group goes on in each partition of the first topic, by its number. */
  readonly committed: Readonly<Record<number, number>>;
}

/** The letters of lifecycle events. */
const eventLetters: Readonly<Record<string, ConsumerEvent['type']>> = {
  A: 'assigned',
  D: 'draining',
  R: 'revoked',
  L: 'lost',
  P: 'position-reset',
  U: 'caught-up',
  S: 'starved',
  N: 'redelivered',
  T: 'record-retried',
  K: 'skipped',
  X: 'record-failed',
  B: 'dead-lettered',
  C: 'committed',
  F: 'commit-failed',
  E: 'drained',
};

/**
 * What one test has drawn and what it expects. All is checked when virtual time has ended: also that
 * records were subscribed to, and that every expectation was said.
 */
export class MarbleKit {
  /** Something is asserted, or the test looks for itself. */
  hasAsserted = false;
  private readonly consumers = new Map<Observable<unknown>, MarbleConsumer>();
  private readonly drawings = new Map<MarbleConsumer, string>();
  private expectations: Expectation[] = [];

  constructor(
    private readonly scheduler: TestScheduler,
    readonly clock: Clock,
  ) {}

  records<K, V>(
    marbles: string,
    given?: RecordDefinitions<K, V>,
    options: RecordsOptions<K, V> = {},
  ): Observable<ConsumerRecord<K, V>> {
    const { topic = this.nextTopic(), keySerde, valueSerde, error = 'error', ...rest } = options;
    const definitions = given as AnyDefinitions | undefined;
    const name = `records('${marbles}')`;
    const moments = parseDiagram(marbles, {
      name,
      ends: 'may-end-and-fail',
      explain: (letter) => complaintAboutLetter(letter, definitions),
    });
    const letters = [...lettersOf(moments), ...Object.keys(definitions ?? {})];
    const deserializers = {
      ...(keySerde !== undefined && { keyDeserializer: keySerde }),
      ...(valueSerde !== undefined && { valueDeserializer: valueSerde }),
    } as DeserializerOptions<unknown, unknown>;
    const contents = contentsOf(letters, definitions ?? {}, { topic, keySerde, valueSerde });
    const consumer = new MarbleConsumer({
      scheduler: this.scheduler,
      clock: this.clock,
      contents,
      logs: logsFor([...contents.values()]),
      options: rest,
      deserializers,
      error,
      held: heldByNothing,
    });
    this.consumers.set(consumer.records, consumer);
    this.drawings.set(consumer, name);
    consumer.play(moments);
    return consumer.records as Observable<ConsumerRecord<K, V>>;
  }

  lifecycle(records: AnyRecords, marbles: string, moves: LifecycleMoves = {}): void {
    playLifecycle(this.scheduler, this.consumerOf('lifecycle', records), marbles, moves);
  }

  lifecycleOf(records: AnyRecords): Observable<ConsumerEvent> {
    return this.consumerOf('lifecycleOf', records).lifecycle;
  }

  sink(answers: SinkAnswers = 'r', options: MarbleSinkOptions = {}): MarbleSink {
    return new MarbleSink(this.scheduler, this.clock, answers, options);
  }

  retries(answers: SinkAnswers = 'r', options: RetriesOptions = {}): MarbleRetries {
    const { scheduler, clock } = this;
    const surroundings = () => ({
      scheduler,
      clock,
      contents: new Map([...this.consumers.values()].flatMap(({ contents }) => [...contents])),
      error: 'error',
    });
    return new MarbleRetries(this.sink(answers), options, surroundings, (consumer) => {
      this.consumers.set(consumer.records, consumer);
    });
  }

  snapshot(records: AnyRecords): MarbleSnapshot {
    this.hasAsserted = true;
    const { inHand, logs, committedBy } = this.consumerOf('snapshot', records);
    const own = logs.filter(({ topic }) => topic === logs[0]?.topic);
    const committed = own.map((log) => [log.partition, committedBy.get(log) ?? 0] as const);
    return { inHand, committed: Object.fromEntries(committed) };
  }

  expectNoted(name: string, note: Note, records: AnyRecords): Expectable {
    const consumer = this.consumerOf(name, records);
    const letters = [...consumer.contents.keys()];
    const explain = (letter: string) =>
      letters.includes(letter)
        ? undefined
        : `there is no record ${letter}; there are ${letters.join(', ')}`;
    return this.expect(
      new Expectation(`${name}()`, () => consumer.noted(note), { ends: 'never', explain }),
    );
  }

  expectLifecycle(records: AnyRecords, types: readonly ConsumerEvent['type'][]): Expectable {
    const consumer = this.consumerOf('expectLifecycle', records);
    const wanted = new Set<ConsumerEvent['type']>(types);
    const explain = (letter: string) =>
      `${letter} is no event; draw ${Object.entries(eventLetters)
        .map(([name, type]) => `${name} (${type})`)
        .join(', ')}`;
    return this.expect(
      new Expectation(
        'expectLifecycle()',
        () => consumer.eventsOf(wanted),
        { ends: 'never', explain },
        eventLetters,
      ),
    );
  }

  expectReceipts(sink: MarbleSink): Expectable {
    const rules = { ends: 'may-fail', explain: () => undefined } as const;
    return this.expect(
      new Expectation('expectReceipts()', () => sink.observed, rules, {}, sink.error),
    );
  }

  expectOutput(output: Observable<unknown>, subscription?: string): Expectable {
    const { from, to } = subscriptionFrames(subscription);
    const { scheduler } = this;
    const observed: Observed[] = [];
    const ends = new Subscription();
    scheduler.schedule(() => {
      const subscribed = output.subscribe({
        next: (value) => observed.push(nextAt(scheduler.now(), asDrawn(value))),
        error: (error: unknown) => observed.push(errorAt(scheduler.now(), error)),
        complete: () => observed.push(completeAt(scheduler.now())),
      });
      ends.add(subscribed);
    }, from);
    if (to !== Infinity) scheduler.schedule(() => ends.unsubscribe(), to);
    const rules = { ends: 'may-end-and-fail', explain: () => undefined } as const;
    return this.expect(new Expectation('expectOutput()', () => observed, rules));
  }

  /**
   * To be called when virtual time has ended.
   *
   * @throws AssertionError where something is not as expected, Error where the test can't mean what
   * it says.
   */
  check(): void {
    const { expectations } = this;
    this.expectations = [];
    for (const expectation of expectations) expectation.check();
    for (const [consumer, name] of this.drawings) {
      if (consumer.wasSubscribed) continue;
      throw new Error(
        `${name} was never subscribed to, so nothing was tested: give the pipeline to ` +
          `expectOutput(), or subscribe to it`,
      );
    }
  }

  private expect(expectation: Expectation): Expectable {
    this.hasAsserted = true;
    this.expectations.push(expectation);
    return expectation;
  }

  private nextTopic(): string {
    const count = this.consumers.size;
    return count === 0 ? 'orders' : `orders${count + 1}`;
  }

  private consumerOf(name: string, records: unknown): MarbleConsumer {
    const consumer = this.consumers.get(records as Observable<unknown>);
    if (consumer !== undefined) return consumer;
    const what =
      records instanceof Observable ? 'an Observable of another origin' : String(records);
    throw new Error(
      `${name}() takes what records() has returned, not ${what}; what comes out of a pipeline is ` +
        `expected with expectOutput()`,
    );
  }
}
