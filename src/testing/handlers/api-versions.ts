import { apis, type VersionRange } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { defineHandler } from './handler.js';

const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;
const FIRST_VERSION_WITH_FEATURES = 3;
const FIRST_VERSION_WITH_ZERO_FEATURES = 4;

/** What the broker can do (KIP-35, KIP-511, KIP-584). */
export const apiVersions = defineHandler(apis.ApiVersions, {
  handle({ version, body }, { cluster }) {
    const isNamed =
      SOFTWARE_NAME.test(body.clientSoftwareName) && SOFTWARE_NAME.test(body.clientSoftwareVersion);
    if (version >= FIRST_VERSION_WITH_FEATURES && !isNamed)
      return { errorCode: Errors.INVALID_REQUEST, apiKeys: [] };
    return {
      errorCode: Errors.NONE,
      apiKeys: advertised(cluster.profile.advertised),
      ...featuresOf(cluster, version),
    };
  },
  fail: (_request, errorCode) => ({ errorCode, apiKeys: [] }),
});

/** The answer to an ApiVersions version that the broker lacks: it names those it has (KIP-511). */
export function unsupportedApiVersions({ profile }: Cluster) {
  const { key } = apis.ApiVersions;
  const range = profile.advertised.get(key);
  const namesItself = range !== undefined && range.max >= 3;
  return {
    errorCode: Errors.UNSUPPORTED_VERSION,
    apiKeys: namesItself ? advertised(new Map([[key, range]])) : [],
  };
}

function advertised(ranges: ReadonlyMap<number, VersionRange>) {
  return [...ranges]
    .sort(([a], [b]) => a - b)
    .map(([apiKey, { min, max }]) => ({ apiKey, minVersion: min, maxVersion: max }));
}

function featuresOf({ settings }: Cluster, version: number) {
  if (version < FIRST_VERSION_WITH_FEATURES || settings.features.length === 0) return {};
  // Older clients take a minimum of 0 for an error (KIP-1022).
  const knowsZero = version >= FIRST_VERSION_WITH_ZERO_FEATURES;
  return {
    supportedFeatures: settings.features
      .filter(({ minVersion }) => knowsZero || minVersion > 0)
      .map(({ name, minVersion, maxVersion }) => ({ name, minVersion, maxVersion })),
    finalizedFeaturesEpoch: 1,
    finalizedFeatures: settings.features
      .filter(({ finalized }) => finalized > 0)
      .map(({ name, finalized }) => ({
        name,
        maxVersionLevel: finalized,
        minVersionLevel: finalized,
      })),
  };
}
