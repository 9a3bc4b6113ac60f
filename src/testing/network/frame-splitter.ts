const LENGTH_BYTES = 4;

/** Cuts a stream of bytes into requests: each is preceded by its length. */
export class FrameSplitter {
  private readonly length = Buffer.alloc(LENGTH_BYTES);
  private lengthFilled = 0;
  private frame: Buffer | undefined;
  private frameFilled = 0;

  /** @param onFrame gets each whole frame, without its length. */
  constructor(
    private readonly maxBytes: number,
    private readonly onFrame: (frame: Buffer) => void,
  ) {}

  /** Returns what is wrong, and can't go on, when a length makes no sense. */
  push(bytes: Buffer): string | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (this.frame !== undefined) {
        at = this.fill(this.frame, bytes, at);
        continue;
      }
      at = this.readLength(bytes, at);
      if (this.lengthFilled < LENGTH_BYTES) return undefined;
      this.lengthFilled = 0;
      const size = this.length.readInt32BE(0);
      if (size < 0 || size > this.maxBytes) {
        return `a request claims ${size} bytes; 0 to ${this.maxBytes} are allowed`;
      }
      if (bytes.length - at >= size) {
        // Whole in this chunk: no copy.
        this.onFrame(bytes.subarray(at, at + size));
        at += size;
      } else {
        this.frame = Buffer.allocUnsafeSlow(size);
        this.frameFilled = 0;
      }
    }
    return undefined;
  }

  private readLength(bytes: Buffer, start: number): number {
    let at = start;
    while (this.lengthFilled < LENGTH_BYTES && at < bytes.length) {
      this.length[this.lengthFilled++] = bytes[at++]!;
    }
    return at;
  }

  private fill(frame: Buffer, bytes: Buffer, start: number): number {
    const copied = bytes.copy(frame, this.frameFilled, start);
    this.frameFilled += copied;
    if (this.frameFilled === frame.length) {
      this.frame = undefined;
      this.onFrame(frame);
    }
    return start + copied;
  }
}
