import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/cli/run.js';
import { startKafka, type KafkaCluster } from '../support/kafka/cluster.js';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ version: '4.3' });
});
afterAll(() => kafka.stop());

/** Types lines, each once the answer to the one before has come. */
async function converse(lines: readonly (readonly [string, RegExp])[]): Promise<string> {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  let seen = '';
  let check: () => void = () => undefined;
  stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    check();
  });
  const done = run(['repl', kafka.bootstrapServers], { stdin, stdout, stderr, isDebugging: false });
  for (const [line, answer] of [['', /kafka> /] as const, ...lines]) {
    const from = seen.length;
    if (line !== '') stdin.write(`${line}\n`);
    await new Promise<void>((resolve) => {
      check = () => {
        if (answer.test(seen.slice(line === '' ? 0 : from))) resolve();
      };
      check();
    });
  }
  stdin.end();
  expect(await done).toBe(0);
  return seen;
}

test('a prompt on a connected broker answers requests, lists APIs and explains refusals', async () => {
  const seen = await converse([
    [
      "request('CreateTopics', { topics: [{ name: 'typed', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }], timeoutMs: 5000 })",
      /name: 'typed'[^]*kafka> /,
    ],
    [
      "(await request('Metadata', { topics: [{ name: 'typed' }] })).topics[0].partitions.length",
      /2\n/,
    ],
    ['apis.Metadata', /'0 to 13'/],
    ["fields('Heartbeat')", /groupId: 'string, from version 0 on'/],
    ["request('Nope', {})", /UnsupportedVersionError: There is no API named 'Nope'/],
    ["request('Heartbeat', { groupId: 5 })", /ProtocolError: .*groupId must be a string/],
    ["decodeRecords(encodeRecords([{ value: 'hello' }])).length", /1\n/],
  ]);
  expect(seen).toMatch(/^Kafka 4\.3 at localhost:/);
  expect(seen).not.toMatch(/\.ts:\d+/);
});
