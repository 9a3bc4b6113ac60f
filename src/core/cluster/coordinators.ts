export type CoordinatorKind = 'group' | 'transaction';

type LookUp = (kind: CoordinatorKind, key: string, signal: AbortSignal) => Promise<number>;

/** Which broker coordinates what: looked up once, until it turns out to be wrong. */
export class Coordinators {
  private readonly known = new Map<string, Promise<number>>();

  constructor(private readonly lookUp: LookUp) {}

  find(kind: CoordinatorKind, key: string, signal: AbortSignal): Promise<number> {
    const name = `${kind} ${key}`;
    let found = this.known.get(name);
    if (found === undefined) {
      found = this.lookUp(kind, key, signal);
      this.known.set(name, found);
      found.catch(() => this.known.delete(name));
    }
    return found;
  }

  forget(kind: CoordinatorKind, key: string): void {
    this.known.delete(`${kind} ${key}`);
  }
}
