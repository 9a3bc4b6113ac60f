/** Encodes text to look at it only: the bytes are valid until the next call. */
export class Utf8Scratch {
  private memory = Buffer.allocUnsafeSlow(1024);

  encode(text: string): Uint8Array {
    const most = text.length * 3;
    if (most > this.memory.length) this.memory = Buffer.allocUnsafeSlow(most);
    return this.memory.subarray(0, this.memory.write(text, 'utf8'));
  }
}
