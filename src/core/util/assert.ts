/** Fails loudly on a state that our own code must never reach. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`rx-kafka internal error, please report it: ${what}`);
}

/** Marks the branch of a `switch` that the types prove unreachable. */
export function unreachable(value: never): never {
  throw new Error(`rx-kafka internal error, please report it: unexpected ${String(value)}`);
}
