import { describe } from 'vitest';
import { sharedGroups } from '../interop/groups.js';
import { javaInterop } from '../interop/java.js';
import { isAtLeast } from '../support/kafka/releases.js';
import { contractReleases, HEARTBEAT_MS, realCluster } from './cluster.js';
import { consumingContract } from './consuming.js';
import { groupsContract } from './consuming/groups.js';
import { operatingContract } from './operating.js';
import { producingContract } from './producing.js';
import { useCluster } from './setup.js';
import { transactingContract } from './transacting.js';
import { versionContract } from './version.js';

describe.each(contractReleases)('Kafka %s', (version) => {
  const setup = useCluster(version, realCluster);
  versionContract(setup, version);
  producingContract(setup);
  consumingContract(setup);
  transactingContract(setup);
  // Java's clients have no way to talk to older brokers.
  if (isAtLeast(version, '0.10')) javaInterop(setup);
  if (isAtLeast(version, '4.0')) {
    sharedGroups(setup);
    operatingContract(setup);
  }
});

describe('Kafka 4.3 with transaction.version 1', () => {
  const start = (version: string) => realCluster(version, { 'transaction.version': 1 });
  transactingContract(useCluster('4.3', start));
});

/** Lines that differ from their neighbours in nothing but transactions. */
describe.each(['2.5', '2.0', '0.11'])('Kafka %s', (version) => {
  transactingContract(useCluster(version, realCluster));
});

// It neither answers nor hangs up when it is asked what it understands, so that each client waits for
// seconds: here is what it was the first to have.
describe('Kafka 0.9', () => {
  const setup = useCluster('0.9', realCluster);
  versionContract(setup, '0.9');
  describe('consuming in groups', () =>
    groupsContract(setup, {
      groupProtocol: 'classic',
      heartbeatIntervalMs: HEARTBEAT_MS,
      // It allows for 30 s at most, and the default is 45.
      sessionTimeoutMs: 10_000,
    }));
});
