import { describe, expect, test } from 'vitest';
import { api } from '../../../src/core/protocol/api.js';
import {
  allApis,
  apis,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../../src/core/protocol/index.js';
import {
  array,
  bigint,
  int16,
  int32,
  int64,
  string,
  struct,
} from '../../../src/core/protocol/schema.js';
import { ProtocolError, UnsupportedVersionError } from '../../../src/core/util/errors.js';

const inner = { id: int32('0+'), note: string('1+', { default: 'none' }) } as const;

/** Has a field of every kind of behaviour. */
const Probe = api({
  name: 'Probe',
  key: 9999,
  versions: '0-3',
  flexible: '2+',
  request: {
    name: string('0+'),
    maybe: string('0+', { nullable: '0+', default: null }),
    count: int32('1+', { default: -1 }),
    hint: int16('1+', { ignorable: true }),
    big: bigint('0+', { default: 7n }),
    items: array('0+', inner),
    numbers: array('0+', 'int64', { nullable: '1+' }),
    box: struct('2+', inner, { nullable: '2+', default: null }),
    tagged: int32('2+', { tag: 0, default: 5 }),
    taggedList: array('2+', inner, { tag: 1 }),
    taggedStruct: struct('2+', inner, { tag: 3 }),
  },
  response: { value: int64('0+') },
});

const encode = (version: number, body: object) => encodeRequest(Probe, version, body as never);
const failure = (act: () => unknown): Error => {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe('encoding', () => {
  test('takes Kafka’s default for a field that is left out', () => {
    const decoded = decodeRequest(Probe, 3, encode(3, { name: 'x' }));
    expect(decoded).toEqual({
      name: 'x',
      maybe: null,
      count: -1,
      hint: 0,
      big: 7n,
      items: [],
      numbers: [],
      box: null,
      tagged: 5,
      taggedList: [],
      taggedStruct: { id: 0, note: 'none' },
    });
  });

  test.each([
    [{ nam: 'x' }, /Cannot encode ProbeRequest@1: has no field 'nam'; it has name, maybe/],
    [{ items: [{ id: 1 }, { idd: 1 }] }, /items\[1\] has no field 'idd'; it has id, note/],
    [{ name: 5 }, /name must be a string but is number 5/],
    [{ name: null }, /name must be a string but is null/],
    [{ count: 'many' }, /count must be an int32 but is the string 'many'/],
    [{ numbers: [1, 2, 'x'] }, /numbers\[2\] must be an int64/],
    [{ items: [{ id: 1 }, null] }, /items\[1\] must be an object but is null/],
    [{ items: 'x' }, /items must be an array but is the string 'x'/],
    [{ box: { id: 1 } }, /box is set, but version 1 lacks it \(it has versions 2\+\)/],
    [{ tagged: 6 }, /tagged is set, but version 1 lacks it/],
  ])('of %j names what is wrong', (body, message) => {
    const error = failure(() => encode(1, { name: 'x', ...body }));
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error.message).toMatch(message);
  });

  test('of something that is no object names the message', () => {
    expect(failure(() => encode(1, 5 as never)).message).toMatch(
      /must be an object but is number 5/,
    );
  });

  test('accepts a field that the version lacks while it has its default, or is ignorable', () => {
    const body = { name: 'x', count: -1, hint: 3, box: null, tagged: 5, taggedStruct: { id: 0 } };
    expect(encode(0, body)).toEqual(encode(0, { name: 'x' }));
  });

  test('leaves tagged fields out while they have their default', () => {
    const plain = encode(2, { name: 'x' });
    expect(encode(2, { name: 'x', tagged: 5, taggedList: [] })).toEqual(plain);
    expect(plain.at(-1)).toBe(0);
    const set = encode(2, { name: 'x', tagged: 6, taggedStruct: { id: 1 } });
    expect(set.subarray(plain.length - 1).toString('hex')).toBe(
      '02 00 04 00000006 03 0a 00000001 056e6f6e65 00'.replaceAll(' ', ''),
    );
  });

  test('of a bigint field takes numbers as well', () => {
    expect(encode(0, { name: 'x', big: 5 })).toEqual(encode(0, { name: 'x', big: 5n }));
  });

  test('refuses a version that is not declared', () => {
    for (const version of [-1, 4, 1.5, NaN]) {
      const error = failure(() => encode(version, { name: 'x' }));
      expect(error).toBeInstanceOf(UnsupportedVersionError);
      expect(error.message).toMatch(/has versions 0 to 3/);
    }
  });
});

describe('decoding', () => {
  test('gives every version the same keys in the same order', () => {
    const keys = [0, 1, 2, 3].map((version) =>
      Object.keys(decodeRequest(Probe, version, encode(version, { name: 'x' }))).join(),
    );
    expect(new Set(keys).size).toBe(1);
  });

  test('skips tags it does not know', () => {
    const plain = encode(2, { name: 'x' });
    const withUnknown = Buffer.concat([
      plain.subarray(0, -1),
      Buffer.from('01 4d 03 aabbcc'.replaceAll(' ', ''), 'hex'),
    ]);
    expect(decodeRequest(Probe, 2, withUnknown)).toEqual(decodeRequest(Probe, 2, plain));
  });

  test('refuses a tagged field of another size than it claims', () => {
    const plain = encode(2, { name: 'x' });
    const wrong = Buffer.concat([
      plain.subarray(0, -1),
      Buffer.from('01 00 05 00000006 00'.replaceAll(' ', ''), 'hex'),
    ]);
    expect(failure(() => decodeRequest(Probe, 2, wrong)).message).toMatch(
      /tag 0 does not have the 5 bytes/,
    );
  });

  test('refuses bytes that are left over', () => {
    const bytes = Buffer.concat([encode(0, { name: 'x' }), Buffer.from([0])]);
    expect(failure(() => decodeRequest(Probe, 0, bytes)).message).toMatch(
      /1 bytes are left over \(at byte \d+\)/,
    );
  });

  test('names message, version, path and position where the bytes end', () => {
    const bytes = encode(1, { name: 'x', items: [{ id: 1 }, { id: 2 }] });
    const error = failure(() => decodeRequest(Probe, 1, bytes.subarray(0, bytes.length - 9)));
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error.message).toMatch(
      /^Cannot decode ProbeRequest@1: items\[1\]\.note .* \(at byte \d+\)$/,
    );
  });

  test('refuses null where the version does not allow it', () => {
    const bytes = Buffer.from('ffff', 'hex');
    expect(failure(() => decodeRequest(Probe, 0, bytes)).message).toMatch(
      /name is null where null is not allowed/,
    );
  });

  test('refuses an int64 that no number holds', () => {
    const bytes = Buffer.from('7fffffffffffffff', 'hex');
    expect(failure(() => decodeResponse(Probe, 0, bytes)).message).toMatch(
      /value an int64 beyond 2\^53/,
    );
  });
});

test('all versions of every message decode to objects with the same keys', () => {
  for (const { request, response, name } of allApis) {
    for (const [message, encodeBody, decodeBody] of [
      [request, encodeRequest, decodeRequest],
      [response, encodeResponse, decodeResponse],
    ] as const) {
      const { min, max } = message.versions;
      const shapes = new Set<string>();
      for (let version = min; version <= max; version++) {
        const bytes = encodeBody(name as 'Metadata', version, {} as never);
        shapes.add(Object.keys(decodeBody(name as 'Metadata', version, bytes)).join());
      }
      expect(shapes.size, message.name).toBe(1);
    }
  }
});

describe('known answers', () => {
  test.each([
    ['ApiVersions', 0, {}, ''],
    ['ApiVersions', 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' }, '0261 0231 00'],
    ['Metadata', 0, { topics: [{ name: 'ab' }] }, '00000001 0002 6162'],
    ['Metadata', 1, { topics: null }, 'ffffffff'],
    ['Metadata', 9, { topics: [{ name: 'ab' }] }, '02 03 6162 00 01 00 00 00'],
    ['Heartbeat', 0, { groupId: 'g', generationId: 3, memberId: 'm' }, '0001 67 00000003 0001 6d'],
    [
      'Produce',
      3,
      {
        acks: -1,
        timeoutMs: 1000,
        topicData: [
          { name: 't', partitionData: [{ index: 2, records: Buffer.from('ff', 'hex') }] },
        ],
      },
      'ffff ffff 000003e8 00000001 0001 74 00000001 00000002 00000001 ff',
    ],
    ['SaslHandshake', 1, { mechanism: 'PLAIN' }, '0005 504c41494e'],
  ] as const)('%s request version %d', (name, version, body, bytes) => {
    const encoded = encodeRequest(apis[name], version, body as never);
    expect(encoded.toString('hex')).toBe(bytes.replaceAll(' ', ''));
  });
});
