import { filter, type OperatorFunction } from 'rxjs';

/**
 * Lets events of certain types through, with the types narrowed.
 *
 * ```
 * lifecycle            -a--r--c--r-
 * ofType('revoked')    ----r-----r-
 * ```
 *
 * **Guarantees.** Order is kept; nothing is held back.
 *
 * **Errors.** Those of its source: `lifecycle` has none.
 *
 * @example
 * kafka.lifecycle.pipe(ofType('revoked', 'lost')).subscribe(({ partitions }) => forget(partitions));
 */
export function ofType<E extends { readonly type: string }, T extends E['type']>(
  ...types: readonly T[]
): OperatorFunction<E, Extract<E, { readonly type: T }>> {
  const wanted = new Set<string>(types);
  return filter((event): event is Extract<E, { readonly type: T }> => wanted.has(event.type));
}
