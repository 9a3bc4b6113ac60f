import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Loads a native package when it is first needed, so that importing rx-kafka never fails for a
 * codec that is not used.
 */
export function loadNative(name: string): unknown {
  return require(name);
}
