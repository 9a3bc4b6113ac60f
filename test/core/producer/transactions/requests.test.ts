import { expect, it } from 'vitest';
import { Simulation } from '../../../support/simulation.js';

const TOPIC = 'orders';
const PARTITIONS = 3;

it('records that are given at once go together, though each fills a batch', async () => {
  await using sim = await Simulation.start({ topics: { [TOPIC]: PARTITIONS } });
  const producer = sim.kafka().producer({ transactionalId: 'a', batchSize: 100 });
  const value = Buffer.alloc(200);
  // So that it is connected.
  const first = await sim.run(producer.beginTransaction());
  void first.send({ topic: TOPIC, value });
  await sim.run(first.commit());
  const partitionsOf: number[] = [];
  sim.cluster.intercept('Produce', ({ body }) => {
    partitionsOf.push(body.topicData[0]!.partitionData.length);
    return undefined;
  });
  const txn = await sim.run(producer.beginTransaction());
  const sent = [0, 1, 2].map((partition) => txn.send({ topic: TOPIC, partition, value }));
  await sim.run(txn.commit());
  await Promise.all(sent);
  expect(partitionsOf).toEqual([PARTITIONS]);
});
