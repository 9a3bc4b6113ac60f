export type CoordinatorKind = 'group' | 'transaction';

type LookUp = (kind: CoordinatorKind, key: string) => Promise<number>;

interface Entry {
  readonly found: Promise<number>;
  /** Known once it was found. */
  nodeId?: number;
}

/** Which broker coordinates what: looked up once, until it turns out to be wrong. */
export class Coordinators {
  private readonly known = new Map<string, Entry>();

  constructor(private readonly lookUp: LookUp) {}

  find(kind: CoordinatorKind, key: string): Promise<number> {
    const name = `${kind} ${key}`;
    const entry = this.known.get(name) ?? this.begin(name, this.lookUp(kind, key));
    return entry.found;
  }

  /** Forgets a broker that isn't the coordinator after all; with its id, not one that was found since. */
  forget(kind: CoordinatorKind, key: string, nodeId?: number): void {
    const name = `${kind} ${key}`;
    const known = this.known.get(name)?.nodeId;
    if (nodeId === undefined || nodeId === known) this.known.delete(name);
  }

  private begin(name: string, found: Promise<number>): Entry {
    const entry: Entry = { found };
    this.known.set(name, entry);
    found.then(
      (nodeId) => (entry.nodeId = nodeId),
      () => {
        if (this.known.get(name) === entry) this.known.delete(name);
      },
    );
    return entry;
  }
}
