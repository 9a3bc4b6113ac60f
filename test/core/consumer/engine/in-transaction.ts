import fc from 'fast-check';

/** Whose transactions are in a log. */
export const PRODUCERS = 2;

/** A batch of a producer, and what becomes of its transaction afterwards. */
export interface InTransaction {
  readonly producer: number;
  readonly count: number;
  readonly then: 'abort' | 'commit' | 'nothing';
}

export const inTransaction: fc.Arbitrary<InTransaction> = fc.record({
  producer: fc.integer({ min: 1, max: PRODUCERS }),
  count: fc.integer({ min: 1, max: 4 }),
  then: fc.constantFrom('abort', 'commit', 'nothing'),
});
