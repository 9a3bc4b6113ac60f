/** What can be pulled from: arrays, generators, Node's streams and web streams. */
export type Pullable<T> = Iterable<T> | AsyncIterable<T>;

/** A value; `undefined` when there is no further one. */
type Pulled<T> = { readonly value: T } | undefined;

/** Something to pull values from one by one, of any kind, which can be stopped in the middle. */
export class PullSource<T> {
  isStopped = false;
  private readonly iterator: Iterator<T> | AsyncIterator<T>;
  /** Ends a source that may be waiting for its next value. */
  private readonly cut: () => void;
  private callOff: () => void = () => undefined;
  private isOver = false;
  private readonly isAsync: boolean;

  constructor(source: Pullable<T>) {
    this.isAsync = isWebStream(source) || Symbol.asyncIterator in Object(source);
    if (isWebStream<T>(source)) {
      const reader = source.getReader();
      this.iterator = iterate(reader);
      this.cut = () => void reader.cancel().catch(() => undefined);
      return;
    }
    this.iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.cut = isNodeStream(source) ? () => source.destroy() : () => this.end();
  }

  static canPull(source: unknown): boolean {
    if (typeof source !== 'object' || source === null) return false;
    return Symbol.asyncIterator in source || Symbol.iterator in source || isWebStream(source);
  }

  /** The next value: at once where the source has it at once. */
  next(): Pulled<T> | Promise<Pulled<T>> {
    if (this.isStopped) return undefined;
    const result = this.iterator.next();
    if (!this.isAsync) return this.take(result as IteratorResult<T>);
    return new Promise((resolve, reject) => {
      // What was asked of a source that is stopped meanwhile may never come.
      this.callOff = () => resolve(undefined);
      Promise.resolve(result).then((given) => resolve(this.take(given)), reject);
    });
  }

  /** Ends the source; what it was about to give is dropped. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.callOff();
    if (!this.isOver) this.cut();
  }

  private take(result: IteratorResult<T>): Pulled<T> {
    if (this.isStopped) return undefined;
    if (result.done === true) {
      this.isOver = true;
      return undefined;
    }
    return { value: result.value };
  }

  private end(): void {
    // How it ends is of no interest any more.
    try {
      const ended = this.iterator.return?.();
      if (ended instanceof Promise) ended.catch(() => undefined);
    } catch {
      return;
    }
  }
}

interface Reader<T> {
  read(): Promise<{ done: boolean; value?: T | undefined }>;
  cancel(): Promise<void>;
}

function iterate<T>(reader: Reader<T>): AsyncIterator<T> {
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done: false, value: value as T };
    },
  };
}

function isWebStream<T>(source: unknown): source is { getReader(): Reader<T> } {
  return typeof (source as { getReader?: unknown }).getReader === 'function';
}

function isNodeStream(source: object): source is { destroy(): void } {
  return 'destroy' in source && 'readable' in source && typeof source.destroy === 'function';
}
