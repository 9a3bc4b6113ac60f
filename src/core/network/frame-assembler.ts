import { ProtocolError } from '../util/errors.js';

const PREFIX_BYTES = 4;
const HTTP = 0x48545450;
const TLS_RECORD = /^15 03 0[0-4]/;

/**
 * Cuts a byte stream into frames by the length in front of each. Every byte is copied once, into a
 * buffer of the frame's exact size, however the stream is chunked.
 */
export class FrameAssembler {
  private readonly prefix = Buffer.alloc(PREFIX_BYTES);
  private prefixFilled = 0;
  private frame: Buffer | undefined;
  private filled = 0;

  constructor(
    private readonly maxFrameBytes: number,
    private readonly onFrame: (frame: Buffer) => void,
  ) {}

  /** Takes the next bytes. Throws {@link ProtocolError} when they can't be Kafka's. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.frame === undefined ? this.readPrefix(chunk, at) : this.fill(this.frame, chunk, at);
    }
  }

  private readPrefix(chunk: Buffer, start: number): number {
    let at = start;
    while (at < chunk.length && this.prefixFilled < PREFIX_BYTES) {
      this.prefix[this.prefixFilled++] = chunk[at++]!;
    }
    if (this.prefixFilled < PREFIX_BYTES) return at;
    const length = this.prefix.readInt32BE(0);
    this.checkLength(length);
    this.prefixFilled = 0;
    // Not from the shared pool: records are slices of the frame, and must not pin others' bytes.
    this.frame = Buffer.allocUnsafeSlow(length);
    this.filled = 0;
    if (length === 0) this.emit(this.frame);
    return at;
  }

  private fill(frame: Buffer, chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + frame.length - this.filled);
    chunk.copy(frame, this.filled, start, end);
    this.filled += end - start;
    if (this.filled === frame.length) this.emit(frame);
    return end;
  }

  private emit(frame: Buffer): void {
    this.frame = undefined;
    this.onFrame(frame);
  }

  private checkLength(length: number): void {
    if (length >= 0 && length <= this.maxFrameBytes) return;
    throw new ProtocolError(
      `A frame claims ${length} bytes, the limit is ${this.maxFrameBytes}: ${this.diagnose(length)}`,
      { code: 'INVALID_FRAME' },
    );
  }

  private diagnose(length: number): string {
    if (length === HTTP) return 'the peer speaks HTTP, not Kafka';
    const hex = this.prefix.toString('hex').replace(/(..)(?=.)/g, '$1 ');
    if (TLS_RECORD.test(hex)) return 'the peer speaks TLS; connect to it with TLS';
    return `the peer does not speak Kafka, or the stream is corrupt (it began with ${hex})`;
  }
}
