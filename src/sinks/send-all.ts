import { from, Observable, type ObservableInput } from 'rxjs';
import {
  serializersOf,
  type ProducerOptions,
  type Receipt,
  type SerializerOptions,
  type SinkEngine,
} from '../core/producer/index.js';
import { badOption, checkIsObject } from '../core/util/options.js';
import { PullSource, type Pullable } from './pull-source.js';
import { SinkRun, type OnFailure, type SendFailure } from './sink-run.js';
import { checkChoice, checkTarget, openTarget, topicFunction, type SinkTarget } from './target.js';
import type { SinkRecord } from './to-topic.js';

/** Records between looks at whether others should have a turn. */
const SLICE_RECORDS = 256;
const SLICE_MS = 5;

/** What {@link sendAll} makes of values, and what follows when one can't be sent. */
export interface SendAllOptions<T, K, V, R = never>
  extends SerializerOptions<K, V>, ProducerOptions {
  /** Makes a record of a value. Default: the value is one, as in `{ key, value, headers }`. */
  readonly toRecord?: (value: T) => SinkRecord<K, V>;
  /** What to do when a single record can't be sent: as with {@link toTopic}. Default `'fail'`. */
  readonly onError?: 'fail' | 'emit' | ((failure: SendFailure<T>) => ObservableInput<R>);
}

const ownOptions = ['keySerializer', 'valueSerializer', 'toRecord', 'onError'] as const;

/**
 * Writes everything that a source gives to a topic, and pulls only while there is room: real
 * backpressure, any amount of input through a buffer of `bufferMemory`.
 *
 * ```
 * source, asked    -abc--def--g|
 * room             -yyyn-yyyn-y-
 * sendAll          ----ABC--DEF-G|
 * ```
 *
 * **Guarantees.** As {@link toTopic}; the source is never read ahead of the buffer. Unsubscribing
 * ends the iterator and lets accepted records finish.
 *
 * **Errors.** What the source throws, after what was accepted is finished; what {@link toTopic} says, but
 * for `OVERFLOW`; ConfigError, at once, for a source that can't be pulled or an option that doesn't fit.
 *
 * @example
 * sendAll(kafka, 'lines', createInterface({ input: createReadStream('big.log') }), {
 *   toRecord: (line) => ({ value: line }),
 * }).pipe(count()).subscribe((sent) => console.log(sent));
 */
export function sendAll<T, K = unknown, V = unknown, R = never>(
  target: SinkTarget,
  topic: string | ((value: T) => string),
  source: Pullable<T>,
  options: SendAllOptions<T, K, V, R> & { readonly onError: 'emit' },
): Observable<Receipt<T> | SendFailure<T>>;
export function sendAll<T, K = unknown, V = unknown, R = never>(
  target: SinkTarget,
  topic: string | ((value: T) => string),
  source: Pullable<T>,
  options?: SendAllOptions<T, K, V, R>,
): Observable<Receipt<T> | R>;
export function sendAll<T, K, V, R>(
  target: SinkTarget,
  topic: string | ((value: T) => string),
  source: Pullable<T>,
  options: SendAllOptions<T, K, V, R> = {},
): Observable<Receipt<T> | SendFailure<T> | R> {
  checkIsObject('sendAll', options);
  const {
    keySerializer,
    valueSerializer,
    toRecord = (value: T) => value as SinkRecord<K, V>,
    onError = 'fail',
    ...producerOptions
  } = options;
  checkTarget('sendAll', target, producerOptions, ownOptions);
  checkChoice('sendAll', 'toRecord', toRecord, [], true);
  checkChoice('sendAll', 'onError', onError, ['fail', 'emit'], true);
  if (!PullSource.canPull(source)) {
    const complaint =
      'must be an iterable, an async iterable or a stream; toTopic takes Observables';
    throw badOption('sendAll', 'source', source, complaint);
  }
  const serializers = serializersOf('sendAll', keySerializer, valueSerializer);
  const topicOf = topicFunction('sendAll', topic);
  const onFailure: OnFailure<T, R> =
    typeof onError === 'function' ? (failure) => from(onError(failure)) : onError;

  return new Observable((subscriber) => {
    const { engine, close } = openTarget(target, producerOptions);
    const run = new SinkRun<T, R>({
      engine,
      close,
      serializers,
      topicOf,
      toRecord,
      onFailure,
      overflow: 'error',
      subscriber,
    });
    // Before the source, which is read at once as far as it has something.
    subscriber.add(() => run.leave(false));
    pull(source, run, engine).then(
      () => run.finish(undefined),
      (error: unknown) => run.finish({ error }),
    );
  });
}

/** Opens a source, which may throw as it is opened, and empties it. */
async function pull<T>(
  source: Pullable<T>,
  run: SinkRun<T, unknown>,
  engine: SinkEngine,
): Promise<void> {
  const pulled = new PullSource(source);
  run.onEnough(() => pulled.stop());
  await pump(pulled, engine, (value) => run.accept(value));
}

/** Moves values while there is room, and lets the event loop turn in between. */
async function pump<T>(
  source: PullSource<T>,
  engine: SinkEngine,
  accept: (value: T) => void,
): Promise<void> {
  const { clock } = engine;
  let left = SLICE_RECORDS;
  let sliceEnd = clock.monotonic() + SLICE_MS;
  for (;;) {
    if (!engine.wantsMore) await room(source, engine);
    const next = source.next();
    const result = next instanceof Promise ? await next : next;
    if (result === undefined) return;
    accept(result.value);
    if (--left > 0) continue;
    left = SLICE_RECORDS;
    if (clock.monotonic() < sliceEnd) continue;
    await new Promise<void>((resolve) => clock.yield(resolve));
    sliceEnd = clock.monotonic() + SLICE_MS;
  }
}

async function room(source: PullSource<unknown>, engine: SinkEngine): Promise<void> {
  while (!engine.wantsMore && !engine.isClosed && !source.isStopped) {
    await new Promise<void>((resolve) => engine.whenRoom(resolve));
  }
}
