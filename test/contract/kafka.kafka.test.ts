import { describe } from 'vitest';
import { contractReleases, realCluster } from './cluster.js';
import { producingContract } from './producing.js';
import { useCluster } from './setup.js';

describe.each(contractReleases)('Kafka %s', (version) => {
  const setup = useCluster(version, realCluster);
  producingContract(setup);
});
