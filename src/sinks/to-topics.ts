import { map, Observable, type OperatorFunction } from 'rxjs';
import type { Kafka } from '../core/kafka.js';
import { serializerOf, type Receipt } from '../core/producer/index.js';
import { originsOf } from '../core/records/index.js';
import type { Serializer, SerializeFunction } from '../core/serde/index.js';
import { KafkaError } from '../core/util/errors.js';
import { badOption, checkIsObject, checkNames } from '../core/util/options.js';
import { Router, type Routed } from './router.js';
import type { Overflow } from './sink-run.js';
import type { SinkTarget } from './target.js';
import { toTopic, type OwnProducerOptions, type SinkRecord } from './to-topic.js';

/** How what is routed to one topic is written there. */
export interface Route<T> {
  readonly keySerializer?: Serializer<never>;
  readonly valueSerializer?: Serializer<never>;
  /** Makes a record of a value. Default: the value is one, as in `{ key, value, headers }`. */
  readonly toRecord?: (value: T) => SinkRecord;
}

/** Topics by name, with how to write to each. */
export type Routes<T> = Readonly<Record<string, Route<T>>>;

/** Where a value goes: to one topic, to several, or, with none, nowhere. */
export type RouteOf<T, N extends string> = (value: T) => N | readonly N[] | undefined;

interface ToTopicsOptions {
  /** What to do with a value that finds no room: as for {@link toTopic}. Default `'error'`. */
  readonly overflow?: Overflow;
}

/**
 * Writes each value to the topics that a function chooses, each with serializers of its own, through
 * one producer; emits a receipt for each record that is acknowledged.
 *
 * ```
 * source                  -a-b----c----
 * route                   -x-xy---------
 * toTopics(route, {x,y})  ---A--B-B-----
 * ```
 *
 * **Guarantees.** As {@link toTopic}. What a value was derived from is acked when the records for all
 * of its topics are acknowledged; at once where it goes nowhere. When one of them can't be written, it
 * is nacked, and comes again to all.
 *
 * **Errors.** As {@link toTopic}: the first record that can't be sent ends the stream, after what was
 * accepted has been finished. KafkaError with code `UNKNOWN_ROUTE` for a topic that has no route.
 *
 * @example
 * clicks.pipe(
 *   toTopics(kafka, ({ user }) => (user === 'root' ? ['clicks', 'alerts'] : 'clicks'), {
 *     clicks: { toRecord: (click) => ({ key: click.user, value: click }), valueSerializer: json() },
 *     alerts: { toRecord: ({ user }) => ({ value: `${user} has clicked` }) },
 *   }),
 * ).subscribe();
 */
export function toTopics<T, R extends Routes<T>, P extends SinkTarget = Kafka>(
  target: P,
  route: RouteOf<T, keyof R & string>,
  routes: R & Routes<T>,
  options?: ToTopicsOptions & OwnProducerOptions<P>,
): OperatorFunction<T, Receipt<T>> {
  if (typeof route !== 'function')
    throw badOption('toTopics', 'route', route, 'must be a function');
  const table = resolveRoutes<T>(routes);
  const at = (topic: string) => table.get(topic) ?? unknownRoute(topic, [...table.keys()]);
  const sink = toTopic<Routed<T>>(target as Kafka, ({ topic }) => topic, {
    ...options,
    toRecord: ({ topic, value }) => unmarked(at(topic).toRecord(value), value),
    keySerializer: (key, context) => at(context.topic).key(key as never, context),
    valueSerializer: (value, context) => at(context.topic).value(value as never, context),
  });
  return (source) =>
    source.pipe(
      (values) => new Observable((to) => void values.subscribe(new Router<T>(to, route))),
      sink,
      // Field by field: leaving one out of a copy costs as much as all of the sink.
      map(({ topic, partition, offset, timestamp, origin }) => {
        return { topic, partition, offset, timestamp, origin: origin.value };
      }),
    );
}

/** The record alone where it is the value: what that was derived from is shared by its topics. */
function unmarked(record: SinkRecord, value: unknown): SinkRecord {
  if (record !== value || originsOf(value).length === 0) return record;
  const { key, value: content, headers, partition, timestamp } = record;
  return { key, value: content, headers, partition, timestamp };
}

const ROUTE_OPTIONS: readonly string[] = ['keySerializer', 'valueSerializer', 'toRecord'];

interface ResolvedRoute<T> {
  readonly key: SerializeFunction<never>;
  readonly value: SerializeFunction<never>;
  readonly toRecord: (value: T) => SinkRecord;
}

function resolveRoutes<T>(routes: Routes<T>): ReadonlyMap<string, ResolvedRoute<T>> {
  checkIsObject('toTopics', routes);
  const entries = Object.entries(routes).map(([topic, route]) => {
    checkNames(`toTopics, route ${topic}`, route, ROUTE_OPTIONS);
    const { toRecord = (value: T) => value as SinkRecord } = route;
    if (typeof toRecord !== 'function') {
      throw badOption('toTopics', `${topic}.toRecord`, toRecord, 'must be a function');
    }
    const key = serializerOf('toTopics', `${topic}.keySerializer`, route.keySerializer);
    const value = serializerOf('toTopics', `${topic}.valueSerializer`, route.valueSerializer);
    return [topic, { key, value, toRecord }] as const;
  });
  return new Map(entries);
}

function unknownRoute(topic: string, known: readonly string[]): never {
  throw new KafkaError(
    `toTopics has no route for the topic '${topic}', which was chosen for a value; it has ` +
      (known.join(', ') || 'none'),
    { code: 'UNKNOWN_ROUTE', context: { topic } },
  );
}
