/**
 * A map for what has mostly gone before the next comes: the youngest entry lies beside it. V8 makes a map
 * smaller each time its last entry is deleted, which takes several times as long as all the rest.
 */
export class BriefMap<K extends object, V extends object> {
  private key: K | undefined;
  private value: V | undefined;
  private readonly older = new Map<K, V>();

  get(key: K): V | undefined {
    return key === this.key ? this.value : this.older.get(key);
  }

  /** Adds an entry, whose key must not be there. */
  add(key: K, value: V): void {
    if (this.key !== undefined) this.older.set(this.key, this.value!);
    this.key = key;
    this.value = value;
  }

  /** Takes an entry out, if it is there. */
  take(key: K): V | undefined {
    if (key !== this.key) {
      const value = this.older.get(key);
      this.older.delete(key);
      return value;
    }
    const { value } = this;
    this.key = undefined;
    this.value = undefined;
    return value;
  }
}
