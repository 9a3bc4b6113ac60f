import { resolveApi, type Api, type ApiName } from '../../src/core/protocol/index.js';
import { handlers } from '../../src/testing/handlers/index.js';
import { profileOf, type KafkaRelease } from '../../src/testing/versions.js';
import type { Simulation } from './simulation.js';

/**
 * Has brokers tell of older versions of some requests than they understand, so that clients use
 * those. For connections that are made from now on.
 *
 * @example
 * limitVersions(sim, { Fetch: 11 });
 */
export function limitVersions(
  { cluster }: Simulation,
  newest: Readonly<Partial<Record<ApiName, number>>>,
): void {
  const { advertised } = profileOf(
    cluster.inspect().version as KafkaRelease,
    new Set(handlers.keys()),
  );
  const limits = new Map(
    Object.entries(newest).map(([name, version]) => [
      (resolveApi(name as ApiName) as Api).key,
      version,
    ]),
  );
  cluster.intercept('ApiVersions', () => ({
    errorCode: 0,
    apiKeys: [...advertised].map(([apiKey, { min, max }]) => ({
      apiKey,
      minVersion: min,
      maxVersion: Math.min(max, limits.get(apiKey) ?? max),
    })),
  }));
}

/** Notes the versions in which requests of an API come. */
export function versionsOf({ cluster }: Simulation, api: ApiName): ReadonlySet<number> {
  const seen = new Set<number>();
  cluster.intercept(api, ({ version }) => {
    seen.add(version);
    return undefined;
  });
  return seen;
}
