import { describe } from 'vitest';
import { javaGroups } from '../interop/groups.js';
import { javaInterop } from '../interop/java.js';
import { isAtLeast } from '../support/kafka/releases.js';
import { contractReleases, realCluster } from './cluster.js';
import { consumingContract } from './consuming.js';
import { producingContract } from './producing.js';
import { useCluster } from './setup.js';
import { transactingContract } from './transacting.js';

describe.each(contractReleases)('Kafka %s', (version) => {
  const setup = useCluster(version, realCluster);
  producingContract(setup);
  consumingContract(setup);
  transactingContract(setup);
  // Java's clients have no way to talk to older brokers.
  if (isAtLeast(version, '0.10')) javaInterop(setup);
  if (isAtLeast(version, '4.0')) javaGroups(setup);
});

describe('Kafka 4.3 with transaction.version 1', () => {
  const start = (version: string) => realCluster(version, { 'transaction.version': 1 });
  transactingContract(useCluster('4.3', start));
});

/** Lines that differ from their neighbours in nothing but transactions. */
describe.each(['2.0', '0.11'])('Kafka %s', (version) => {
  transactingContract(useCluster(version, realCluster));
});
