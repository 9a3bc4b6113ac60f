/**
 * Testing with a cluster inside the process: what the code under test does while the cluster
 * misbehaves, without Java, Docker or waiting.
 *
 *     npx tsx examples/embedded-broker.ts
 */
import assert from 'node:assert/strict';
import { from, lastValueFrom, map, toArray } from 'rxjs';
import { createKafka, toTopic, type Kafka } from '../src/index.js';
import { startEmbeddedKafka } from '../src/testing/index.js';

/** The code under test: writes orders, each keyed by its customer. */
function writeOrders(kafka: Kafka, orders: readonly { customer: string; item: string }[]) {
  return lastValueFrom(
    from(orders).pipe(
      map(({ customer, item }) => ({ key: customer, value: item })),
      toTopic(kafka, 'orders', { retryBackoffMs: 1, retryBackoffMaxMs: 5 }),
      toArray(),
    ),
  );
}

await using cluster = await startEmbeddedKafka({ brokers: 3, topics: { orders: 2 } });
await using kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });

// The leader says twice that it is none, then an answer gets lost after the records were written.
cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER', 2);
cluster.drop('Produce', 1, { when: 'after' });

const receipts = await writeOrders(kafka, [
  { customer: 'anna', item: 'tea' },
  { customer: 'ben', item: 'cake' },
  { customer: 'anna', item: 'milk' },
]);
assert.equal(receipts.length, 3);

// Everything is there once, and what anna ordered is in her order.
const stored = cluster.records('orders');
assert.equal(stored.length, 3);
const annas = stored.filter(({ key }) => String(key) === 'anna').map(({ value }) => String(value));
assert.deepEqual(annas, ['tea', 'milk']);

// A broker that leads is gone: the rest of the cluster goes on.
const [partition] = cluster.inspect().topics['orders']!.partitions;
await cluster.stop(partition!.leader);
await writeOrders(kafka, [{ customer: 'ben', item: 'juice' }]);
assert.equal(cluster.records('orders').length, 4);

const { Produce } = cluster.inspect().requests;
console.log(`4 orders written, each once, with ${Produce} Produce requests`);
