import { describe } from 'vitest';
import { contractReleases, embeddedCluster } from './cluster.js';
import { consumingContract } from './consuming.js';
import { operatingContract } from './operating.js';
import { producingContract } from './producing.js';
import { useCluster } from './setup.js';
import { transactingContract } from './transacting.js';

describe.each(contractReleases)('embedded Kafka %s', (version) => {
  const setup = useCluster(version, embeddedCluster);
  producingContract(setup);
  consumingContract(setup);
  transactingContract(setup);
  if (version === '4.3') operatingContract(setup);
});
