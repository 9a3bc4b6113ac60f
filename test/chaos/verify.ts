/** A record that was sent: `lane` names what its order is kept in, `n` ascends in the lane. */
export interface SentRecord {
  readonly lane: string;
  readonly n: number;
}

/** What its receipt said. */
export interface AckedRecord extends SentRecord {
  readonly partition: number;
  /** -1 where the broker had it already and didn't tell. */
  readonly offset: number;
}

/** A record in the log, in the order of its partition. */
export interface FoundRecord extends SentRecord {
  readonly partition: number;
  readonly offset: number;
}

export interface Evidence {
  /** How many were sent of each lane. */
  readonly sent: ReadonlyMap<string, number>;
  readonly acked: readonly AckedRecord[];
  readonly found: readonly FoundRecord[];
}

/** At most so many are told one by one. */
const MAX_TOLD = 20;

/**
 * What is wrong with the log: acknowledged records that are missing or elsewhere, records that are
 * there twice, out of order, or were never sent. Empty when every promise was kept.
 */
export function violations({ sent, acked, found }: Evidence): string[] {
  const complaints: string[] = [];
  const places = new Map<string, FoundRecord>();
  const last = new Map<string, FoundRecord>();
  for (const record of found) {
    const { lane, n } = record;
    const name = nameOf(record);
    const twin = places.get(name);
    if (twin !== undefined)
      complaints.push(`${name} is there twice: ${at(twin)} and ${at(record)}`);
    places.set(name, record);
    if (n >= (sent.get(lane) ?? 0)) complaints.push(`${name} ${at(record)} was never sent`);
    const before = last.get(lane);
    last.set(lane, record);
    if (before === undefined || twin !== undefined) continue;
    if (before.partition !== record.partition) {
      complaints.push(`${lane} is spread: ${nameOf(before)} ${at(before)}, ${name} ${at(record)}`);
    } else if (before.n > n) {
      complaints.push(`${name} ${at(record)} comes after ${nameOf(before)} ${at(before)}`);
    }
  }
  for (const record of acked) {
    const place = places.get(nameOf(record));
    if (place === undefined) {
      complaints.push(`${nameOf(record)} was acknowledged ${at(record)} and is missing`);
    } else if (record.offset >= 0 && !isSamePlace(record, place)) {
      complaints.push(`${nameOf(record)} was acknowledged ${at(record)} and is ${at(place)}`);
    }
  }
  if (complaints.length <= MAX_TOLD) return complaints;
  return [...complaints.slice(0, MAX_TOLD), `and ${complaints.length - MAX_TOLD} more`];
}

/** The text that carries a record's identity. */
export function nameOf({ lane, n }: SentRecord): string {
  return `${lane} #${n}`;
}

/** The identity that {@link nameOf} wrote. */
export function parseName(text: string): SentRecord {
  const split = text.lastIndexOf(' #');
  return { lane: text.slice(0, split), n: Number(text.slice(split + 2)) };
}

function isSamePlace(a: AckedRecord, b: FoundRecord): boolean {
  return a.partition === b.partition && a.offset === b.offset;
}

function at({ partition, offset }: FoundRecord | AckedRecord): string {
  return `at ${partition}/${offset}`;
}
