import { Buffer } from 'node:buffer';
import type { Address, Link, LinkEvents, Transport } from '../../src/core/network/index.js';
import {
  encodeResponseFrame,
  findApi,
  peekRequest,
  type ApiOrName,
  type Resolved,
  type ResponseInput,
} from '../../src/core/protocol/index.js';
import { encodeReply, type Script } from './scripted-broker.js';

/**
 * Connections that the test plays the other end of. Nothing happens by itself: accept, answer and
 * hang up on {@link MemoryTransport.links}; or give a script that does it.
 *
 * @example
 * const transport = new MemoryTransport();
 * const opening = Connection.open({ ...options, transport });
 * transport.last.accept();
 */
export class MemoryTransport implements Transport {
  /** In the order in which they were opened. */
  readonly links: MemoryLink[] = [];

  /** @param script accepts every connection and answers every request. Default: the test does. */
  constructor(private readonly script?: Script) {}

  open(address: Address, events: LinkEvents): Link {
    const link = new MemoryLink(address, events, this.script);
    this.links.push(link);
    if (this.script !== undefined) queueMicrotask(() => link.accept());
    return link;
  }

  /** The connection that was opened last. */
  get last(): MemoryLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error('nothing was opened');
    return link;
  }
}

/** One connection, seen from the other end. */
export class MemoryLink implements Link {
  readonly queuedBytes = 0;
  /** What was sent, without the lengths in front. */
  readonly requests: Buffer[] = [];
  isClosed = false;

  constructor(
    readonly address: Address,
    private readonly events: LinkEvents,
    private readonly script: Script | undefined,
  ) {}

  write(chunks: readonly Uint8Array[]): void {
    const frame = Buffer.concat(chunks);
    if (frame.readInt32BE(0) !== frame.length - 4) throw new Error('not one frame');
    const request = frame.subarray(4);
    this.requests.push(request);
    if (this.script !== undefined) queueMicrotask(() => this.follow(this.script!, request));
  }

  destroy(error?: Error): void {
    this.hangUp(error);
  }

  accept(): void {
    if (!this.isClosed) this.events.onOpen();
  }

  /** Ends the connection from this side, or refuses it. */
  hangUp(error?: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.events.onClose(error);
  }

  /** Bytes as they are. They are overwritten afterwards, as those of a read buffer are. */
  deliver(bytes: Uint8Array): void {
    if (this.isClosed) return;
    const buffer = Buffer.from(bytes);
    this.events.onBytes(buffer);
    buffer.fill(0xee);
  }

  /** Answers one of {@link MemoryLink.requests}, in the version it was asked in. */
  answer<A extends ApiOrName>(index: number, api: A, body: ResponseInput<Resolved<A>>): void {
    const { version, correlationId } = peekRequest(this.requests[index]!);
    this.deliver(Buffer.concat(encodeResponseFrame(api, version, correlationId, body)));
  }

  /** What was asked for so far, as in `Metadata@12`. */
  get asked(): string[] {
    return this.requests.map((request) => {
      const { apiKey, version } = peekRequest(request);
      return `${findApi(apiKey)?.name ?? apiKey}@${version}`;
    });
  }

  private follow(script: Script, request: Buffer): void {
    const reply = encodeReply(script, request);
    if (reply === 'hang up') this.hangUp();
    else if (reply !== 'say nothing') this.deliver(reply);
  }
}
