const FACTOR = 2;
const JITTER = 0.2;

/**
 * How long to wait before an attempt is repeated: doubling, capped, and spread by a fifth either way
 * so that many clients don't come back at once (KIP-580).
 *
 * @param failures how many attempts have failed before this wait, less one: 0 for the first wait.
 * @param lot at least 0, below 1.
 */
export function backoffMs(failures: number, firstMs: number, maxMs: number, lot: number): number {
  const plain = Math.min(maxMs, firstMs * FACTOR ** Math.min(failures, 30));
  return plain * (1 - JITTER + 2 * JITTER * lot);
}
