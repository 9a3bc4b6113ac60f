import type { StoredRecord } from '../src/testing/index.js';

/** A click of a user; `n` counts the clicks of that user. */
export interface Click {
  readonly user: string;
  readonly n: number;
}

/** Where an acknowledged click is said to be. */
export interface Acknowledged extends Click {
  readonly partition: number;
  /** -1 when the broker did not tell. */
  readonly offset: number;
}

/** What a log holds, compared with what was acknowledged. */
export interface Audit {
  readonly stored: number;
  readonly missing: number;
  readonly twice: number;
  readonly misplaced: number;
  readonly outOfOrder: number;
}

/** Compares the records of a topic with the receipts for them. */
export function audit(records: readonly StoredRecord[], receipts: readonly Acknowledged[]): Audit {
  const places = new Map<string, string>();
  const last = new Map<string, number>();
  let twice = 0;
  let outOfOrder = 0;
  for (const { partition, offset, value } of records) {
    const { user, n } = JSON.parse(String(value)) as Click;
    const id = `${user}/${n}`;
    if (places.has(id)) twice++;
    else if (n <= (last.get(user) ?? -1)) outOfOrder++;
    places.set(id, `${partition}@${offset}`);
    last.set(user, n);
  }
  const placed = receipts.map(({ user, n, partition, offset }) => {
    const place = places.get(`${user}/${n}`);
    const isTold = offset >= 0;
    return {
      isMissing: place === undefined,
      isMisplaced: isTold && place !== `${partition}@${offset}`,
    };
  });
  return {
    stored: records.length,
    missing: placed.filter(({ isMissing }) => isMissing).length,
    twice,
    misplaced: placed.filter(({ isMissing, isMisplaced }) => !isMissing && isMisplaced).length,
    outOfOrder,
  };
}
