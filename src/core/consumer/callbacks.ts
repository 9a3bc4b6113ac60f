import { from, lastValueFrom, type ObservableInput } from 'rxjs';
import type { KafkaError } from '../util/errors.js';
import { callbackFailed } from './errors.js';

/** Runs callbacks of the user's, which may take their time and may fail. */
export class UserCallbacks {
  constructor(private readonly onFatal: (error: KafkaError) => void) {}

  /**
   * Calls one and waits for what it returns. Never rejects.
   *
   * @param use gets the last value that came out of it.
   * @returns false when it failed: the stream ends with its error.
   */
  async call(
    name: string,
    callback: () => ObservableInput<unknown>,
    use: (last: unknown) => void = () => undefined,
  ): Promise<boolean> {
    try {
      const result = callback() as ObservableInput<unknown> | undefined;
      if (result !== undefined) use(await lastValueFrom(from(result), { defaultValue: undefined }));
      return true;
    } catch (error) {
      this.onFatal(callbackFailed(name, error));
      return false;
    }
  }
}
