/** Where to begin when there is no offset to go on from. */
export type OffsetReset =
  | { readonly type: 'earliest' }
  | { readonly type: 'latest' }
  | { readonly type: 'none' }
  /** At the first record that is younger than this. */
  | { readonly type: 'by-duration'; readonly durationMs: number };

const DURATION = /^P(?!$)(?:(\d+)D)?(?:T(?!$)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const BY_DURATION = 'by_duration:';

/** Reads Kafka's `auto.offset.reset`; `undefined` for what it can't be (KIP-1106). */
export function parseOffsetReset(value: unknown): OffsetReset | undefined {
  if (value === 'earliest' || value === 'latest' || value === 'none') return { type: value };
  if (typeof value !== 'string' || !value.startsWith(BY_DURATION)) return undefined;
  const match = DURATION.exec(value.slice(BY_DURATION.length));
  if (match === null) return undefined;
  const [days, hours, minutes, seconds] = [1, 2, 3, 4].map((i) => Number(match[i] ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  const durationMs = Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
  return { type: 'by-duration', durationMs };
}
