/** An inclusive range of versions; `max` is `Infinity` for an open one. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

const EMPTY: VersionRange = { min: 0, max: -1 };

/** Reads Kafka's notation: `3`, `3-13`, `3+` or `none`. */
export function parseVersions(notation: string): VersionRange {
  if (notation === 'none') return EMPTY;
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(notation);
  if (match === null) throw new Error(`not a version range: '${notation}'`);
  const min = Number(match[1]);
  if (match[2] !== undefined) return { min, max: Infinity };
  return { min, max: match[3] === undefined ? min : Number(match[3]) };
}

export function includesVersion(range: VersionRange, version: number): boolean {
  return version >= range.min && version <= range.max;
}

/** The versions that both have; empty (`max < min`) when they share none. */
export function intersectVersions(a: VersionRange, b: VersionRange): VersionRange {
  return { min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) };
}
