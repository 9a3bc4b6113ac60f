/** A record in its partition. */
export interface Place {
  readonly partition: number;
  readonly offset: number;
}

/** How a member of a group ended: in order, or by SIGKILL. */
export type Fate = 'left' | 'killed';

/** What a member has told while it lived. */
export interface MemberStory {
  readonly name: string;
  readonly fate: Fate;
  /** Records that it began to work on, as often as it did. */
  readonly started: readonly Place[];
  /** Records whose work it finished, and which were acked with that. */
  readonly finished: readonly Place[];
  /** How far each partition was committed, as far as it lived to tell. */
  readonly committed: ReadonlyMap<number, number>;
}

export interface Audit {
  readonly complaints: readonly string[];
  /** Records that were worked on again because a killed member had not committed them. */
  readonly repeated: number;
}

/** At most so many are told one by one. */
const MAX_TOLD = 20;

/**
 * What is wrong with what the members of a group have done to the records that were written. Each must
 * have been finished by somebody. It may have been started once, and again only for each start by a
 * member that was killed before it had committed the record.
 */
export function audit(written: readonly Place[], members: readonly MemberStory[]): Audit {
  const complaints: string[] = [];
  const finished = new Set(members.flatMap((member) => member.finished.map(keyOf)));
  for (const place of written) {
    if (!finished.has(keyOf(place))) complaints.push(`${keyOf(place)} was lost`);
  }
  const starts = new Map<string, { readonly by: string; readonly isExcused: boolean }[]>();
  for (const { name, fate, started, committed } of members) {
    for (const place of started) {
      const isCommitted = (committed.get(place.partition) ?? 0) > place.offset;
      const start = { by: name, isExcused: fate === 'killed' && !isCommitted };
      const known = starts.get(keyOf(place));
      if (known === undefined) starts.set(keyOf(place), [start]);
      else known.push(start);
    }
  }
  let repeated = 0;
  for (const [key, each] of starts) {
    if (each.length === 1) continue;
    if (each.filter(({ isExcused }) => !isExcused).length <= 1) repeated++;
    else complaints.push(`${key} was started by ${each.map(({ by }) => by).join(' and ')}`);
  }
  const told = complaints.slice(0, MAX_TOLD);
  const more = complaints.length - told.length;
  return { complaints: more > 0 ? [...told, `and ${more} more`] : told, repeated };
}

function keyOf({ partition, offset }: Place): string {
  return `${partition}/${offset}`;
}
