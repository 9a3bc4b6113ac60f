/**
 * A list of values that mostly repeat the one before: each is kept once, with where it begins. To be
 * read in order; going back is possible, but costs a search from the start.
 */
export class Runs<T> {
  private readonly values: T[] = [];
  private readonly starts: number[] = [];
  private count = 0;
  /** The run that was read from last. */
  private reading = 0;

  push(value: T): void {
    const { values } = this;
    if (this.count === 0 || values[values.length - 1] !== value) {
      values.push(value);
      this.starts.push(this.count);
    }
    this.count++;
  }

  /** The value at an index of the list. */
  at(index: number): T {
    const { starts } = this;
    if (index < starts[this.reading]!) this.reading = 0;
    while (this.reading + 1 < starts.length && starts[this.reading + 1]! <= index) this.reading++;
    return this.values[this.reading]!;
  }

  /** Whether all values pass a test. */
  every(passes: (value: T) => boolean): boolean {
    return this.values.every(passes);
  }

  clear(): void {
    this.values.length = 0;
    this.starts.length = 0;
    this.count = 0;
    this.reading = 0;
  }
}
