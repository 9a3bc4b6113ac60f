import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  allApis,
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  decodeWhole,
  encodeMessage,
  includesVersion,
  Reader,
  RequestHeader,
  ResponseHeader,
  Writer,
  type Message,
} from '../../../src/core/protocol/index.js';
import { parseVersions } from '../../../src/core/protocol/versions.js';
import { definitionsOf, JavaHarness, type Definition } from '../../support/java/harness.js';
import { toJavaJson } from '../../support/java/json.js';
import { lottery, sampleOf, type Filling } from '../../support/messages.js';

/** Newest first: a version is proven against the newest release that has it. */
const releases = ['4.3.1', '3.9.2'];
const harnesses: JavaHarness[] = [];
const definitions: Map<string, Definition>[] = [];

beforeAll(async () => {
  for (const release of releases) {
    const harness = await JavaHarness.start('Messages', release);
    harnesses.push(harness);
    definitions.push(await definitionsOf(harness));
  }
});
afterAll(() => Promise.all(harnesses.map((harness) => harness[Symbol.asyncDispose]())));

const draw = lottery(20261124);
const fillings: readonly Filling[] = [
  { how: 'defaults' },
  { how: 'full' },
  { how: 'nulls' },
  { how: 'random', draw },
  { how: 'random', draw },
  { how: 'random', draw },
];

test('every message of every version is byte for byte what Apache writes', async () => {
  const messages: Message[] = allApis.flatMap(({ request, response }) => [request, response]);
  messages.push(RequestHeader, ResponseHeader);
  messages.push(ConsumerProtocolSubscription, ConsumerProtocolAssignment);
  const left: string[] = [];
  const checks: Promise<void>[] = [];
  let triples = 0;
  for (const message of messages) {
    for (let version = message.versions.min; version <= message.versions.max; version++) {
      const java = harnessFor(message, version);
      if (java === undefined) {
        left.push(`${message.name}@${version}`);
        continue;
      }
      triples++;
      for (const filling of fillings) checks.push(check(java, message, version, filling));
    }
  }
  await Promise.all(checks);
  expect(left).toEqual([]);
  console.log(`${triples} message versions, ${checks.length} messages, equal to Apache's bytes`);
});

function harnessFor({ name }: Message, version: number): JavaHarness | undefined {
  const index = definitions.findIndex((byName) => {
    const definition = byName.get(name);
    return (
      definition !== undefined && includesVersion(parseVersions(definition.validVersions), version)
    );
  });
  return harnesses[index];
}

async function check(
  java: JavaHarness,
  message: Message,
  version: number,
  filling: Filling,
): Promise<void> {
  const what = `${message.name}@${version} filled with ${filling.how}`;
  const value = sampleOf(message, version, filling);
  const ours = encode(message, version, value);
  const { json, records } = toJavaJson(message.fields, version, value);
  const theirs = await java.ask('write', message.name, version, json, ...records);
  expect(ours.toString('hex'), what).toBe(theirs);
  const decoded = decodeWhole(new Reader(Buffer.from(theirs, 'hex')), message, version);
  expect(decoded, what).toMatchObject(value);
  expect(encode(message, version, decoded).toString('hex'), what).toBe(theirs);
  await expect(java.ask('read', message.name, version, theirs), what).resolves.toBeTypeOf('string');
}

function encode(message: Message, version: number, value: Record<string, unknown>): Buffer {
  const writer = new Writer();
  encodeMessage(writer, message, version, value as never);
  return writer.toBuffer();
}
