import { describe } from 'vitest';
import { javaGroups } from '../interop/groups.js';
import { javaInterop } from '../interop/java.js';
import { isAtLeast } from '../support/kafka/releases.js';
import { contractReleases, realCluster } from './cluster.js';
import { consumingContract } from './consuming.js';
import { producingContract } from './producing.js';
import { useCluster } from './setup.js';

describe.each(contractReleases)('Kafka %s', (version) => {
  const setup = useCluster(version, realCluster);
  producingContract(setup);
  consumingContract(setup);
  // Java's clients have no way to talk to older brokers.
  if (isAtLeast(version, '0.10')) javaInterop(setup);
  if (isAtLeast(version, '4.0')) javaGroups(setup);
});
