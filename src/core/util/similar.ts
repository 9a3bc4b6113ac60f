/** Slips of the pen that are forgiven in a name of that length. */
const slipsIn = (length: number) => (length < 5 ? 1 : 2);

/**
 * The name that was probably meant: the one that is written otherwise (`linger.ms`), cut short
 * (`linger`), or has a slip or two (`concurency`). `undefined` when none is near.
 */
export function similarName(given: string, known: readonly string[]): string | undefined {
  const wanted = plain(given);
  const longer = known
    .filter((name) => wanted.length > 2 && plain(name).startsWith(wanted))
    .sort((a, b) => a.length - b.length);
  if (longer.length > 0) return longer[0];
  const [nearest] = known
    .map((name) => ({ name, slips: distance(plain(name), wanted) }))
    .sort((a, b) => a.slips - b.slips);
  return nearest !== undefined && nearest.slips <= slipsIn(wanted.length)
    ? nearest.name
    : undefined;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[._-]/g, '');
}

/** Letters to add, leave out or replace until one is the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
