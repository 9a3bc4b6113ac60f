/** A list from behind one of its items on, and around to that; from its start where that is none of them. */
export function fromAfter<T>(last: T | undefined, items: readonly T[]): T[] {
  const next = last === undefined ? 0 : items.indexOf(last) + 1;
  return [...items.slice(next), ...items.slice(0, next)];
}
