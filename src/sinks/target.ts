import type { Kafka } from '../core/kafka.js';
import {
  checkProducerOptions,
  type ProducerOptions,
  type SinkEngine,
} from '../core/producer/index.js';
import { ConfigError } from '../core/util/errors.js';
import { badOption } from '../core/util/options.js';

/** A producer that many sinks can share: of this thread, of another one, or of a test. */
export interface SinkProducer {
  /** @internal */
  readonly engine: SinkEngine;
}

/** Where a sink writes: a client, of which it takes a producer of its own, or a producer to share. */
export type SinkTarget = Kafka | SinkProducer;

/** A producer as long as one subscription of a sink needs it. */
export interface OpenTarget {
  readonly engine: SinkEngine;
  /** Closes a producer of the sink's own; one that was given stays open. */
  readonly close: (timeoutMs?: number) => Promise<void>;
}

/** The producer for one subscription. */
export function openTarget(target: SinkTarget, options: ProducerOptions): OpenTarget {
  if (isProducer(target)) return { engine: target.engine, close: () => Promise.resolve() };
  const producer = target.producer(options);
  return {
    engine: producer.engine,
    close: (timeoutMs) => producer.close(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/**
 * Checks where a sink is to write, and the options of the producer that each subscription will make.
 * Where one is given, there can be none.
 *
 * @param own the options of the sink itself, which were taken out before.
 */
export function checkTarget(
  sink: string,
  target: SinkTarget,
  options: ProducerOptions,
  own: readonly string[],
): void {
  if (!isProducer(target)) {
    if (typeof (target as Partial<Kafka> | undefined | null)?.producer !== 'function') {
      const complaint = 'must be what createKafka() or kafka.producer() returned';
      throw badOption(sink, 'target', target, complaint);
    }
    checkProducerOptions(sink, options, own);
    return;
  }
  const [name] = Object.keys(options);
  if (name === undefined) return;
  throw new ConfigError(
    `${sink}: option ${name} belongs to the producer, and one was given: set it in kafka.producer()`,
  );
}

/** Checks what only users without types get wrong. */
export function checkChoice(
  sink: string,
  name: string,
  value: unknown,
  allowed: readonly unknown[],
  orFunction = false,
): void {
  if (allowed.includes(value) || (orFunction && typeof value === 'function')) return;
  const names = allowed.map((each) => (typeof each === 'string' ? `'${each}'` : String(each)));
  const function_ = orFunction ? ['a function'] : [];
  throw badOption(sink, name, value, `must be one of ${[...names, ...function_].join(', ')}`);
}

/** The function that gives the topic of a value. */
export function topicFunction<T>(
  sink: string,
  topic: string | ((value: T) => string),
): (value: T) => string {
  if (typeof topic === 'function') return topic;
  if (typeof topic === 'string') return () => topic;
  throw badOption(sink, 'topic', topic, 'must be a name, or a function that gives one');
}

function isProducer(target: SinkTarget): target is SinkProducer {
  return typeof target === 'object' && (target as object | null) !== null && 'engine' in target;
}
