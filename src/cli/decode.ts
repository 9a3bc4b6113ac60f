import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import {
  decodeRequest,
  decodeRequestWithHeader,
  decodeResponse,
  decodeResponseWithHeader,
  type ApiName,
} from '../core/protocol/index.js';
import { decodeRecords } from '../core/records/index.js';
import { UsageError, type Command, type Streams } from './command.js';

const options = {
  api: { type: 'string' },
  version: { type: 'string' },
  request: { type: 'boolean', default: false },
  response: { type: 'boolean', default: false },
  header: { type: 'boolean', default: false },
  records: { type: 'boolean', default: false },
} as const;

/** `rx-kafka decode FILE|HEX --api Fetch --version 12 --response` */
export const decode: Command = {
  summary: 'FILE|HEX ...       bytes of a message as JSON',
  usage: `rx-kafka decode FILE|HEX|- --api NAME --version N --request|--response [--header] [--records]

Prints a message as JSON. The bytes come from a file, as hex digits, or from standard input (-),
without the length in front. Bytes in the message are printed as hex, 64-bit integers beyond 2^53
as text.

  --api NAME      as in Metadata, Produce, Fetch
  --version N     the version of the message
  --request       it is a request; --response, an answer
  --header        the message has its header in front
  --records       decode the record batches in it as well
`,
  async run(args, streams) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [source] = positionals;
    if (source === undefined || positionals.length > 1)
      throw new UsageError('name one FILE or HEX');
    if (values.request === values.response) throw new UsageError('say --request or --response');
    const bytes = await read(source, streams);
    const message = decodeWith(bytes, values);
    streams.stdout.write(`${JSON.stringify(plain(message, values.records), undefined, 2)}\n`);
    return 0;
  },
};

function decodeWith(
  bytes: Buffer,
  {
    api,
    version,
    request,
    header,
  }: { api?: string; version?: string; request: boolean; header: boolean },
): unknown {
  if (request && header) {
    const { api: found, ...message } = decodeRequestWithHeader(bytes);
    return { api: found.name, ...message };
  }
  if (api === undefined) throw new UsageError('name the message with --api');
  if (version === undefined || !/^\d+$/.test(version)) {
    throw new UsageError('give the version of the message with --version N');
  }
  const name = api as ApiName;
  if (request) return decodeRequest(name, Number(version), bytes);
  if (header) return decodeResponseWithHeader(name, Number(version), bytes);
  return decodeResponse(name, Number(version), bytes);
}

async function read(source: string, { stdin }: Streams): Promise<Buffer> {
  const given = source === '-' ? await buffer(stdin) : await fileOrText(source);
  const text = given.toString('latin1').replaceAll(/\s+/g, '');
  const isHex = text.length % 2 === 0 && /^(?:[0-9a-fA-F]{2})+$/.test(text);
  if (isHex) return Buffer.from(text, 'hex');
  if (source !== '-' && !existsSync(source)) {
    throw new UsageError(`'${source}' is neither a file nor an even number of hex digits`);
  }
  return given;
}

async function fileOrText(source: string): Promise<Buffer> {
  return existsSync(source) ? readFile(source) : Buffer.from(source, 'latin1');
}

/** What JSON can hold: bytes as hex, bigints as text, records decoded on request. */
function plain(value: unknown, withRecords: boolean, key = ''): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Buffer.isBuffer(value)) {
    if (withRecords && key === 'records') {
      return decodeRecords(value).map((record) => plain(record.toJSON(), false));
    }
    return value.toString('hex');
  }
  if (Array.isArray(value)) return value.map((element) => plain(element, withRecords));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, plain(inner, withRecords, name)]),
  );
}
