import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { run } from '../../src/cli/run.js';
import { encodeRequest, encodeResponse, encodeResponseWithHeader } from '../../src/protocol.js';
import { encodeRecords } from '../../src/protocol.js';

async function cli(args: readonly string[], input: string | Buffer = '') {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const stdin = Readable.from([Buffer.from(input)]);
  const code = await run(args, { stdin, stdout, stderr, isDebugging: false });
  const text = (stream: PassThrough) => (stream.read() as Buffer | null)?.toString() ?? '';
  return { code, out: text(stdout), err: text(stderr) };
}

const metadata = encodeRequest('Metadata', 12, { topics: [{ name: 'orders' }] });
const asRequest = ['--api', 'Metadata', '--version', '12', '--request'];

test('help is printed for the whole and for each command', async () => {
  expect((await cli(['--help'])).out).toMatch(/rx-kafka version .*\n.*rx-kafka repl/);
  for (const verb of ['version', 'repl', 'decode']) {
    const { code, out } = await cli([verb, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^rx-kafka ${verb} `));
  }
});

test.each([
  [[], /Talks to Kafka brokers/],
  [['frobnicate'], /there is no command 'frobnicate'/],
  [['toString'], /there is no command/],
  [['version'], /name one HOST:PORT/],
  [['version', 'a:b:c'], /'a:b:c' is not HOST:PORT/],
  [['version', '--nope', 'x'], /Unknown option '--nope'/],
  [['decode'], /name one FILE or HEX/],
  [['decode', '00'], /say --request or --response/],
  [['decode', '00', '--request'], /name the message with --api/],
  [['decode', '00', '--api', 'Metadata', '--request'], /give the version/],
  [['decode', 'no such file', ...asRequest], /neither a file nor an even number of hex digits/],
])('%j is answered with what is wrong, the usage and exit code 2', async (args, message) => {
  const { code, err } = await cli(args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
  expect(err).toMatch(/rx-kafka /);
});

test('a message is decoded from hex digits, from a file and from standard input', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rx-kafka-cli-'));
  try {
    const file = join(folder, 'message.bin');
    writeFileSync(file, metadata);
    for (const [source, input] of [
      [metadata.toString('hex'), ''],
      [file, ''],
      ['-', metadata],
      ['-', `${metadata.toString('hex').replace(/(.{8})/g, '$1 ')}\n`],
    ] as const) {
      const { code, out } = await cli(['decode', source, ...asRequest], input);
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ topics: [{ name: 'orders' }] });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a response is decoded with its header and its records', async () => {
  const records = encodeRecords([{ key: 'k', value: 'v' }], { compressionType: 'gzip' });
  const body = {
    responses: [
      { topic: 't', partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1, records }] },
    ],
  };
  const bytes = Buffer.concat(encodeResponseWithHeader('Fetch', 11, 9, body));
  const args = ['--api', 'Fetch', '--version', '11', '--response', '--header', '--records'];
  const { out } = await cli(['decode', bytes.toString('hex'), ...args]);
  expect(JSON.parse(out)).toMatchObject({
    correlationId: 9,
    body: { responses: [{ partitions: [{ records: [{ offset: 0 }] }] }] },
  });
});

test('integers beyond 2^53 are printed as text', async () => {
  const bytes = encodeResponse('ListOffsets', 1, {
    topics: [
      { name: 't', partitions: [{ partitionIndex: 0, errorCode: 0, timestamp: 2n ** 62n }] },
    ],
  });
  const args = ['--api', 'ListOffsets', '--version', '1', '--response'];
  const { out } = await cli(['decode', bytes.toString('hex'), ...args]);
  expect(out).toContain(`"timestamp": "${2n ** 62n}"`);
});

test('bytes that make no sense are answered with where, and exit code 1', async () => {
  const { code, err } = await cli([
    'decode',
    metadata.subarray(0, 9).toString('hex'),
    ...asRequest,
  ]);
  expect(code).toBe(1);
  expect(err).toMatch(/^rx-kafka: Cannot decode MetadataRequest@12: topics .*\(at byte 1\)/);
  expect(err).not.toMatch(/ at .*\.ts/);
});

test('nobody listening is said without a stack', async () => {
  const { code, err } = await cli(['version', '127.0.0.1:1']);
  expect(code).toBe(1);
  expect(err).toMatch(/Cannot connect to 127.0.0.1:1/);
  const repl = await cli(['repl', '127.0.0.1:1']);
  expect(repl.code).toBe(1);
  expect(repl.err).toMatch(/npm run kafka -- start/);
});

test('the command runs as a program', () => {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', main, 'decode', metadata.toString('hex'), ...asRequest],
    { encoding: 'utf8' },
  );
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ topics: [{ name: 'orders' }] });
});
