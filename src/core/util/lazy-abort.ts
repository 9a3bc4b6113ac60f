import { setMaxListeners } from 'node:events';

/** An AbortController that is made when somebody asks for its signal: most never do. */
export class LazyAbort {
  private controller: AbortController | undefined;
  private isAborted = false;

  /** Aborted from the start where it was aborted before. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      // Work on many records listens at a time, and Node warns of a leak at the eleventh.
      setMaxListeners(0, this.controller.signal);
      if (this.isAborted) this.controller.abort();
    }
    return this.controller.signal;
  }

  abort(): void {
    this.isAborted = true;
    this.controller?.abort();
  }
}
