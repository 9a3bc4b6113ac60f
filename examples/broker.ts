/**
 * A broker to play with, inside this process: no Java, no Docker, gone with Ctrl-C. Topics are made when
 * they are asked for. What is written is shown.
 *
 *     npm run broker               on localhost:9092
 *     npm run broker -- 19092      on another port; 0 for any that is free
 */
import { once } from 'node:events';
import { createKafka, fromTopics } from '../src/index.js';
import { startEmbeddedKafka } from '../src/testing/index.js';

const port = Number(process.argv[2] ?? 9092);
await using cluster = await startEmbeddedKafka({
  brokers: [port === 0 ? { id: 1 } : { id: 1, port }],
}).catch((error: unknown) => {
  if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
  console.error(`Port ${port} is taken. Another one: npm run broker -- 19092`);
  process.exit(1);
});
console.log(`An embedded broker listens on ${cluster.bootstrapServers}. Ctrl-C ends it.`);

await using kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
const every = { autoOffsetReset: 'earliest', metadataMaxAgeMs: 500 } as const;
const written = fromTopics(kafka, /.*/, every);
written.subscribe(({ topic, partition, offset, key, value }) => {
  const named = key === null ? '' : `${String(key)} = `;
  console.log(`${topic}-${partition} ${offset}: ${named}${String(value)}`);
});
await once(process, 'SIGINT');
