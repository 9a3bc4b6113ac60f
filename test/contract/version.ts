import { expect, test } from 'vitest';
import { checkVersion } from '../../src/index.js';
import type { KafkaRelease } from '../../src/testing/index.js';
import { isAtLeast } from '../support/kafka/releases.js';
import type { ContractSetup } from './setup.js';

/** Finding out which release a broker runs. */
export function versionContract(setup: ContractSetup, release: KafkaRelease): void {
  test(`checkVersion tells that it is ${release}`, async () => {
    const [host, port] = setup.cluster.bootstrapServers.split(',')[0]!.split(':');
    const { version, apis } = await checkVersion(host!, Number(port));
    expect(version).toBe(release);
    expect(apis['Produce']?.min).toBe(isAtLeast(release, '4.0') ? 3 : 0);
  });
}
