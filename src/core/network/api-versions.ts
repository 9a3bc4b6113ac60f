import {
  allApis,
  type Api,
  includesVersion,
  intersectVersions,
  type VersionRange,
} from '../protocol/index.js';
import { UnsupportedVersionError } from '../util/errors.js';

/** What a broker said, or is known, to understand. */
export interface BrokerCapabilities {
  /** The versions of each API by its key, as the broker advertises them. */
  readonly apis: ReadonlyMap<number, VersionRange>;
  /** Cluster features that are in force, as `transaction.version` (KIP-584). */
  readonly features: ReadonlyMap<string, number>;
}

/**
 * The newest version of an API that both sides have. A broker may advertise less and more than we
 * know; only the overlap counts.
 *
 * @param limit caps the choice, where a rule of the protocol forbids newer versions.
 * @throws UnsupportedVersionError naming both ranges when they share none.
 */
export function chooseVersion(
  api: Api,
  capabilities: BrokerCapabilities,
  limit = Infinity,
): number {
  const version = findVersion(api, capabilities, limit);
  if (version !== undefined) return version;
  const theirs = capabilities.apis.get(api.key);
  const has = theirs === undefined ? 'lacks it' : `has versions ${theirs.min} to ${theirs.max}`;
  throw new UnsupportedVersionError(
    `The broker ${has}, but ${api.name} is needed in versions ${api.minVersion} to ` +
      `${Math.min(limit, api.maxStableVersion)}`,
    { context: { api: api.name } },
  );
}

/** As {@link chooseVersion}, but `undefined` when there is no common version. */
export function findVersion(
  api: Api,
  capabilities: BrokerCapabilities,
  limit = Infinity,
): number | undefined {
  const theirs = capabilities.apis.get(api.key);
  if (theirs === undefined) return undefined;
  const ours = { min: api.minVersion, max: Math.min(limit, api.maxStableVersion) };
  const { min, max } = intersectVersions(ours, theirs);
  return max < min ? undefined : max;
}

const PRODUCE = 0;
const FETCH = 1;

const r = (min: number, max: number): VersionRange => ({ min, max });

/** Brokers before 0.10 can't say what they understand; this is what each line of them does. */
const beforeApiVersions: Readonly<Record<OldVersion, ReadonlyMap<number, VersionRange>>> = {
  '0.8.0': new Map([0, 1, 2, 3].map((key) => [key, r(0, 0)])),
  '0.8.1': new Map([0, 1, 2, 3, 8, 9].map((key) => [key, r(0, 0)])),
  '0.8.2': new Map([
    ...[0, 1, 2, 3, 10].map((key) => [key, r(0, 0)] as const),
    [8, r(0, 1)],
    [9, r(0, 1)],
  ]),
  '0.9': new Map([
    ...[2, 3, 10, 11, 12, 13, 14, 15, 16].map((key) => [key, r(0, 0)] as const),
    ...[0, 1, 9].map((key) => [key, r(0, 1)] as const),
    [8, r(0, 2)],
  ]),
};

export type OldVersion = '0.8.0' | '0.8.1' | '0.8.2' | '0.9';

/** The capabilities of a broker that has no ApiVersions. */
export function capabilitiesOf(version: OldVersion): BrokerCapabilities {
  return { apis: beforeApiVersions[version], features: new Map() };
}

/** The first release whose brokers have a version of an API; the first row that fits wins. */
const releases: readonly (readonly [release: string, key: number, version: number])[] = [
  ['4.3', 35, 5],
  ['4.2', 2, 11],
  ['4.1', 0, 13],
  ['4.0', 2, 10],
  ['3.9', 1, 17],
  ['3.8', 0, 11],
  ['3.7', 1, 16],
  ['3.6', 24, 4],
  ['3.5', 1, 15],
  // Only brokers with ZooKeeper show the difference between 3.3 and 3.4.
  ['3.4', 4, 7],
  ['3.3', 29, 3],
  ['3.2', 11, 9],
  ['3.1', 1, 13],
  ['3.0', 2, 7],
  ['2.8', 0, 9],
  ['2.7', 1, 12],
  ['2.6', 48, 0],
  ['2.5', 29, 2],
  ['2.4', 0, 8],
  ['2.3', 1, 11],
  ['2.2', 2, 5],
  ['2.1', 1, 10],
  ['2.0', 1, 8],
  ['1.1', 1, 7],
  ['1.0', 3, 5],
  ['0.11', 3, 4],
  ['0.10.2', 9, 2],
  ['0.10.1', 3, 2],
];

/** The release that a broker's advertised versions give away, as in `4.3` or `0.10.2`. */
export function inferRelease({ apis }: BrokerCapabilities): string {
  for (const [version, ranges] of Object.entries(beforeApiVersions)) {
    if (apis === ranges) return version;
  }
  const match = releases.find(([, key, version]) => {
    const range = apis.get(key);
    return range !== undefined && includesVersion(range, version);
  });
  return match?.[0] ?? '0.10.0';
}

/** Brokers since 4.0 advertise Produce from 0 on, for clients that check for it, but refuse 0 to 2. */
function isSince4({ apis }: BrokerCapabilities): boolean {
  return (apis.get(FETCH)?.min ?? 0) >= 4;
}

/** The versions that can be used with a broker: ours and its own, by the name of the API. */
export function usableVersions(capabilities: BrokerCapabilities): Record<string, VersionRange> {
  const usable: Record<string, VersionRange> = {};
  for (const api of allApis) {
    const theirs = capabilities.apis.get(api.key);
    if (theirs === undefined) continue;
    const min = api.key === PRODUCE && isSince4(capabilities) ? 3 : api.minVersion;
    const common = intersectVersions({ min, max: api.maxStableVersion }, theirs);
    if (common.max >= common.min) usable[api.name] = common;
  }
  return usable;
}
