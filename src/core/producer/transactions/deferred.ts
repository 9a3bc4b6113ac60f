import type { KafkaError } from '../../util/errors.js';

/** A promise that somebody else settles, and whose rejection nobody has to look at. */
export class Deferred {
  readonly promise: Promise<void>;
  private resolve!: () => void;
  reject!: (error: KafkaError) => void;

  constructor() {
    this.promise = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => undefined);
  }

  settle(error: KafkaError | undefined): void {
    if (error === undefined) this.resolve();
    else this.reject(error);
  }
}
