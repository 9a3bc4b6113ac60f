import type { Clock } from '../../core/util/clock.js';
import { Queue } from '../../core/util/queue.js';
import { FrameSplitter } from './frame-splitter.js';
import type { ServerLink, ServerLinkEvents } from './link.js';

/** What becomes of one request. */
export type Reply =
  /** `muteMs`: how long nothing more is read afterwards, as brokers throttle (KIP-219). */
  | { readonly kind: 'send'; readonly chunks: readonly Uint8Array[]; readonly muteMs: number }
  /** No answer is wanted. */
  | { readonly kind: 'silence'; readonly muteMs: number }
  /** Nothing is answered on this connection any more, which stays open. */
  | { readonly kind: 'stuck' }
  | { readonly kind: 'close' };

export interface BrokerConnectionOptions {
  readonly clock: Clock;
  readonly maxFrameBytes: number;
  /** Answers one request; `signal` is aborted when the connection is gone. */
  readonly answer: (frame: Buffer, signal: AbortSignal) => Reply | Promise<Reply>;
  /** What came can't be cut into requests; the connection is closed. */
  readonly onGarbage: (complaint: string) => void;
  readonly onClose: () => void;
}

/** Read ahead no further than this while a request is being worked on. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

/**
 * One client's connection. Like a real broker it works on one request at a time, so that answers
 * come in the order of the requests even when one of them has to wait.
 */
export class BrokerConnection implements ServerLinkEvents {
  private readonly splitter: FrameSplitter;
  private readonly queue = new Queue<Buffer>();
  private readonly closing = new AbortController();
  private queuedBytes = 0;
  private isPaused = false;
  private isBusy = false;
  private isGarbled = false;

  constructor(
    private readonly link: ServerLink,
    private readonly options: BrokerConnectionOptions,
  ) {
    this.splitter = new FrameSplitter(options.maxFrameBytes, (frame) => {
      this.queue.push(frame);
      this.queuedBytes += frame.length;
    });
  }

  onBytes(bytes: Buffer): void {
    if (this.isGarbled) return;
    const complaint = this.splitter.push(bytes);
    if (complaint !== undefined) {
      this.isGarbled = true;
      this.options.onGarbage(complaint);
      this.link.destroy();
      return;
    }
    this.work();
    if (this.queuedBytes > MAX_QUEUED_BYTES && !this.isPaused) {
      this.isPaused = true;
      this.link.pause();
    }
  }

  onDrain(): void {
    this.work();
  }

  onClose(): void {
    this.isBusy = true;
    this.closing.abort();
    this.options.onClose();
  }

  private work(): void {
    while (!this.isBusy && !this.link.isCongested) {
      const frame = this.queue.shift();
      if (frame === undefined) break;
      this.queuedBytes -= frame.length;
      const reply = this.options.answer(frame, this.closing.signal);
      if (reply instanceof Promise) {
        this.isBusy = true;
        void reply.then((late) => this.resumeWith(late));
      } else {
        this.reply(reply);
      }
    }
    if (this.isPaused && this.queuedBytes <= MAX_QUEUED_BYTES / 2) {
      this.isPaused = false;
      this.link.resume();
    }
  }

  private resumeWith(reply: Reply): void {
    if (this.closing.signal.aborted) return;
    this.isBusy = false;
    this.reply(reply);
    this.work();
  }

  private reply(reply: Reply): void {
    switch (reply.kind) {
      case 'send':
        this.link.write(reply.chunks);
        this.mute(reply.muteMs);
        return;
      case 'silence':
        this.mute(reply.muteMs);
        return;
      case 'stuck':
        this.isBusy = true;
        return;
      case 'close':
        this.isBusy = true;
        this.link.destroy();
    }
  }

  private mute(ms: number): void {
    if (ms === 0) return;
    this.isBusy = true;
    const unmute = () => {
      this.closing.signal.removeEventListener('abort', cancel);
      this.isBusy = false;
      this.work();
    };
    const cancel = this.options.clock.schedule(ms, unmute);
    this.closing.signal.addEventListener('abort', cancel, { once: true });
  }
}
