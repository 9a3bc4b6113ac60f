/** First in, first out, in constant time: a ring that doubles when it is full. */
export class Queue<T> {
  private ring: (T | undefined)[] = new Array<T | undefined>(16);
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(value: T): void {
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.head + this.count) & (this.ring.length - 1)] = value;
    this.count++;
  }

  /** Removes and returns the oldest; `undefined` when empty. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const value = this.ring[this.head];
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.count--;
    return value;
  }

  /** Puts a value in front of the oldest. */
  unshift(value: T): void {
    if (this.count === this.ring.length) this.grow();
    this.head = (this.head - 1) & (this.ring.length - 1);
    this.ring[this.head] = value;
    this.count++;
  }

  /** The oldest, left where it is. */
  peek(): T | undefined {
    return this.count === 0 ? undefined : this.ring[this.head];
  }

  /** From the oldest to the newest. The queue must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.count; i++) {
      yield this.ring[(this.head + i) & (this.ring.length - 1)] as T;
    }
  }

  private grow(): void {
    const next = new Array<T | undefined>(this.ring.length * 2);
    for (let i = 0; i < this.count; i++) {
      next[i] = this.ring[(this.head + i) & (this.ring.length - 1)];
    }
    this.ring = next;
    this.head = 0;
  }
}
