import { Duplex } from 'node:stream';
import type { Accept, ServerLink } from './link.js';

/** What the client's end of a connection in memory reports. */
export interface MemoryLinkEvents {
  /** A broker has taken the connection; bytes may be written. */
  onOpen(): void;
  /** The bytes may be kept, and are never written to. */
  onBytes(bytes: Buffer): void;
  /** Exactly once, whether the link was open or never came to be. */
  onClose(error: Error | undefined): void;
}

/** The client's end of a connection in memory. */
export interface MemoryLink {
  /** Sends the chunks in order and together; they are copied. */
  write(chunks: readonly Uint8Array[]): void;
  /** Always 0: what was written is delivered in the same turn of the event loop. */
  readonly queuedBytes: number;
  /** Ends the connection for both sides, after what is on its way. */
  destroy(error?: Error): void;
}

interface End {
  onBytes(bytes: Buffer): void;
  onClose(error: Error | undefined): void;
}

/**
 * Connections without sockets or system calls. Bytes arrive in microtasks and in order, so that a
 * cluster and its clients are deterministic, and run on virtual time.
 */
export class MemoryNetwork {
  private readonly listeners = new Map<string, Listener>();

  /** Accepts connections at an address, until the returned function is called. */
  listen(host: string, port: number, accept: Accept): () => void {
    const key = `${host}:${port}`;
    const listener = new Listener(accept);
    this.listeners.set(key, listener);
    return () => {
      if (this.listeners.get(key) === listener) this.listeners.delete(key);
      listener.close();
    };
  }

  open({ host, port }: { host: string; port: number }, events: MemoryLinkEvents): MemoryLink {
    const pipe = new Pipe();
    queueMicrotask(() => {
      if (pipe.isClosed) return;
      const listener = this.listeners.get(`${host}:${port}`);
      if (listener === undefined) {
        pipe.refuse(connectionRefused(host, port));
        return;
      }
      listener.take(pipe);
      events.onOpen();
    });
    pipe.client = events;
    return {
      queuedBytes: 0,
      write: (chunks) => pipe.toServer(chunks),
      destroy: (error) => pipe.close(error),
    };
  }

  /** The same as a Node stream. */
  connect({ host, port }: { host: string; port: number }): Duplex {
    const stream = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        link.write([chunk]);
        done();
      },
      final(done) {
        link.destroy();
        done();
      },
      destroy(error, done) {
        link.destroy();
        done(error);
      },
    });
    const link = this.open(
      { host, port },
      {
        onOpen: () => stream.emit('connect'),
        onBytes: (bytes) => stream.push(bytes),
        onClose: (error) => {
          if (error !== undefined) stream.destroy(error);
          else stream.push(null);
        },
      },
    );
    return stream;
  }
}

class Listener {
  private readonly pipes = new Set<Pipe>();

  constructor(private readonly accept: Accept) {}

  take(pipe: Pipe): void {
    this.pipes.add(pipe);
    const events = this.accept(pipe.serverLink);
    pipe.server = {
      onBytes: (bytes) => events.onBytes(bytes),
      onClose: () => {
        this.pipes.delete(pipe);
        events.onClose();
      },
    };
  }

  close(): void {
    for (const pipe of this.pipes) pipe.close(undefined);
  }
}

/** Two ends and what is on the way between them. */
class Pipe {
  client: End | undefined;
  server: End | undefined;
  isClosed = false;
  private isPaused = false;
  /** Arrived while the server had paused. */
  private readonly held: Buffer[] = [];

  readonly serverLink: ServerLink = {
    isCongested: false,
    write: (chunks) => this.toClient(chunks),
    pause: () => {
      this.isPaused = true;
    },
    resume: () => {
      this.isPaused = false;
      for (const bytes of this.held.splice(0)) this.arrive(bytes);
    },
    destroy: () => this.close(undefined),
  };

  toServer(chunks: readonly Uint8Array[]): void {
    if (this.isClosed) return;
    // Copied, because the sender may use its memory again.
    const bytes = Buffer.concat(chunks);
    queueMicrotask(() => this.arrive(bytes));
  }

  /** Ends the connection for both sides, after what is on its way. */
  close(error: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => {
      this.server?.onClose(undefined);
      this.client?.onClose(error);
    });
  }

  refuse(error: Error): void {
    this.isClosed = true;
    this.client?.onClose(error);
  }

  private toClient(chunks: readonly Uint8Array[]): void {
    if (this.isClosed) return;
    const bytes = Buffer.concat(chunks);
    queueMicrotask(() => this.client?.onBytes(bytes));
  }

  private arrive(bytes: Buffer): void {
    if (this.isPaused) this.held.push(bytes);
    else this.server?.onBytes(bytes);
  }
}

function connectionRefused(host: string, port: number): Error {
  return Object.assign(new Error(`connect ECONNREFUSED ${host}:${port}`), {
    code: 'ECONNREFUSED',
    syscall: 'connect',
  });
}
