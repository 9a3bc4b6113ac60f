import { UnsupportedVersionError } from '../util/errors.js';
import type { Api } from './api.js';
import * as messages from './messages/index.js';

/**
 * Every API by name, with its key and the versions that are declared.
 *
 * @example
 * apis.Metadata.key // 3
 * apis.Produce.maxVersion // 13
 */
export const apis: Readonly<typeof messages> = messages;

export type ApiName = keyof typeof messages;

/** An API, or its name: `'Metadata'` stands for `apis.Metadata`. */
export type ApiOrName = Api | ApiName;

/** The API that an {@link ApiOrName} stands for. */
export type Resolved<A extends ApiOrName> = A extends ApiName
  ? (typeof messages)[A]
  : A extends Api
    ? A
    : never;

const byKey = new Map<number, Api>(Object.values(messages).map((api) => [api.key, api]));

const byName = new Map<string, Api>(Object.entries(messages));

/** Every API in the order of its key. */
export const allApis: readonly Api[] = [...byKey.values()].sort((a, b) => a.key - b.key);

/** The API of a key; `undefined` when it is not one for clients. */
export function findApi(key: number): Api | undefined {
  return byKey.get(key);
}

/** Looks an API up; throws {@link UnsupportedVersionError} naming those that resemble it. */
export function resolveApi<A extends ApiOrName>(api: A): Resolved<A> {
  if (typeof api !== 'string') return api as unknown as Resolved<A>;
  const found = byName.get(api);
  if (found !== undefined) return found as Resolved<A>;
  const wanted = api.toLowerCase();
  const similar = allApis
    .filter(({ name }) => name.toLowerCase().includes(wanted.slice(0, 5)))
    .map(({ name }) => name);
  const hint = similar.length > 0 ? `; did you mean ${similar.join(' or ')}?` : '';
  throw new UnsupportedVersionError(`There is no API named '${api}'${hint}`, {
    code: 'UNKNOWN_API',
  });
}
