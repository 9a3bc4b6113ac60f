import { describe, expect, it } from 'vitest';
import { rejectionOf, Simulation } from '../support/simulation.js';

const DESCRIBE = { includeClusterAuthorizedOperations: false };

describe('a request by hand', () => {
  it('is answered by any broker, in the newest version that both sides have', async () => {
    await using sim = await Simulation.start({ brokers: 3 });
    const versions: number[] = [];
    sim.cluster.intercept('DescribeCluster', ({ version }) => {
      versions.push(version);
      return undefined;
    });
    const { brokers } = await sim.run(sim.kafka().request('DescribeCluster', DESCRIBE));
    expect(brokers).toHaveLength(3);
    expect(versions).toEqual([2]);
  });

  it('is answered by the broker, and in the version, that it names', async () => {
    await using sim = await Simulation.start({ brokers: 3 });
    const asked: unknown[] = [];
    sim.cluster.intercept('DescribeCluster', ({ version, broker }) => {
      asked.push([broker, version]);
      return undefined;
    });
    await sim.run(sim.kafka().request('DescribeCluster', DESCRIBE, { node: 2, version: 0 }));
    expect(asked).toEqual([[2, 0]]);
  });

  it('hands over an error that the answer has', async () => {
    await using sim = await Simulation.start();
    sim.cluster.failNext('DescribeCluster', 'CLUSTER_AUTHORIZATION_FAILED');
    const answer = await sim.run(sim.kafka().request('DescribeCluster', DESCRIBE));
    expect(answer.errorCode).toBe(31);
  });

  it('fails where the broker lacks the API', async () => {
    await using sim = await Simulation.start({ version: '0.10.2' });
    const error = await rejectionOf(sim.run(sim.kafka().request('DescribeCluster', DESCRIBE)));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
  });

  it('fails once the client is closed', async () => {
    await using sim = await Simulation.start();
    const kafka = sim.kafka();
    await sim.run(kafka.close());
    const error = await rejectionOf(kafka.request('DescribeCluster', DESCRIBE));
    expect(error).toMatchObject({ code: 'CLIENT_CLOSED' });
  });
});

describe('the release of a broker', () => {
  it.each(['4.3', '2.8', '1.1', '0.10.2', '0.9', '0.8.2'] as const)(
    'is told: %s',
    async (version) => {
      await using sim = await Simulation.start({ version, brokers: 2 });
      const told = await sim.run(sim.kafka().brokerVersion({ timeoutMs: 60_000 }));
      expect(told.version).toBe(version);
      expect(told.apis['Metadata']!.max).toBeGreaterThanOrEqual(0);
    },
  );
});

describe('the figures of a client', () => {
  it('count connections, requests and bytes, together and by broker', async () => {
    await using sim = await Simulation.start();
    const kafka = sim.kafka();
    await sim.run(kafka.request('DescribeCluster', DESCRIBE));
    const metrics = kafka.metrics();
    expect(metrics['client-metrics']).toMatchObject({
      'connection-count': 1,
      'connection-creation-total': 1,
      'request-total': 2,
      'response-total': 2,
    });
    expect(metrics['client-metrics']!['incoming-byte-total']).toBeGreaterThan(100);
    expect(metrics['client-node-metrics.node-bootstrap-0']).toMatchObject({ 'request-total': 2 });
    await sim.run(kafka.close());
    expect(kafka.metrics()['client-metrics']).toMatchObject({ 'connection-count': 0 });
  });
});

describe('what ends', () => {
  const wrong: readonly [given: unknown, complaint: string][] = [
    [5000, 'the options are 5000'],
    [null, 'the options are null'],
    [{ timeout: 5000 }, 'did you mean timeoutMs?'],
    [{ timeoutMs: -1 }, 'option timeoutMs is -1'],
  ];

  it.each(wrong)(
    'is told how long to wait as { timeoutMs }, not as %j',
    async (given, complaint) => {
      await using sim = await Simulation.start();
      const kafka = sim.kafka();
      const producer = kafka.producer();
      const consumer = kafka.consumer({ groupId: 'g' });
      const options = given as { timeoutMs: number };
      const all = [
        () => producer.close(options),
        () => consumer.drain(options),
        () => consumer.close(options),
        () => kafka.drain(options),
        () => kafka.close(options),
      ];
      for (const end of all) {
        expect(String(await sim.run(rejectionOf(end())))).toContain(complaint);
      }
      const receipt = await sim.run(producer.send({ topic: 't', value: 'still open' }));
      expect(receipt.offset).toBe(0);
    },
  );
});
