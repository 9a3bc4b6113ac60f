import { describe, expect, test } from 'vitest';
import {
  decodeRequestWithHeader,
  decodeResponseWithHeader,
  encodeRequest,
  encodeRequestFrame,
  encodeRequestWithHeader,
  encodeResponseFrame,
  encodeResponseWithHeader,
  peekRequest,
} from '../../../src/core/protocol/index.js';
import { ProtocolError, UnsupportedVersionError } from '../../../src/core/util/errors.js';

const join = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks);
const envelope = { correlationId: 77, clientId: 'ü' };

describe('a request with its header', () => {
  test('has the client id in the old encoding, also in flexible versions', () => {
    const bytes = join(encodeRequestWithHeader('ApiVersions', 3, envelope, {}));
    expect(bytes.subarray(0, 13).toString('hex')).toBe('00120003' + '0000004d' + '0002c3bc' + '00');
  });

  test.each([1, 12])('comes back whole in version %d', (version) => {
    const chunks = encodeRequestWithHeader('Metadata', version, envelope, {
      topics: [{ name: 'a' }],
    });
    const received = decodeRequestWithHeader(join(chunks));
    expect(received).toMatchObject({ version, ...envelope });
    expect(received.api.name).toBe('Metadata');
    expect(received.body).toMatchObject({ topics: [{ name: 'a' }] });
  });

  test('may have no client id', () => {
    const chunks = encodeRequestWithHeader(
      'Metadata',
      1,
      { correlationId: 1, clientId: null },
      { topics: null },
    );
    expect(decodeRequestWithHeader(join(chunks)).clientId).toBeNull();
  });

  test('that is unknown can still be looked into', () => {
    const bytes = Buffer.from('03e7000500000009ffff', 'hex');
    expect(peekRequest(bytes)).toEqual({ apiKey: 999, version: 5, correlationId: 9 });
    expect(() => decodeRequestWithHeader(bytes)).toThrow(UnsupportedVersionError);
    expect(() => decodeRequestWithHeader(Buffer.from('00120063000000090000', 'hex'))).toThrow(
      /version 99/,
    );
  });

  test('that is too short for a header is refused', () => {
    expect(() => peekRequest(Buffer.alloc(7))).toThrow(ProtocolError);
  });
});

describe('a response with its header', () => {
  test('has tagged fields in flexible versions', () => {
    const bytes = join(encodeResponseWithHeader('Heartbeat', 4, 5, { errorCode: 0 }));
    expect(bytes.toString('hex')).toBe('00000005' + '00' + '00000000' + '0000' + '00');
  });

  test('of ApiVersions never has them', () => {
    const bytes = join(
      encodeResponseWithHeader('ApiVersions', 3, 5, { errorCode: 0, apiKeys: [] }),
    );
    expect(bytes.toString('hex')).toBe('00000005' + '0000' + '01' + '00000000' + '00');
    expect(decodeResponseWithHeader('ApiVersions', 3, bytes).correlationId).toBe(5);
  });
});

test('a frame is the message with its length in front', () => {
  const records = Buffer.alloc(5000, 1);
  const body = {
    acks: -1,
    timeoutMs: 1,
    topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
  };
  const chunks = encodeRequestFrame('Produce', 9, envelope, body);
  const frame = join(chunks);
  expect(frame.readInt32BE(0)).toBe(frame.length - 4);
  expect(frame.subarray(4)).toEqual(join(encodeRequestWithHeader('Produce', 9, envelope, body)));
  expect(chunks).toContain(records);
  const answer = join(encodeResponseFrame('Heartbeat', 0, 5, { errorCode: 0 }));
  expect(answer.toString('hex')).toBe('00000006' + '00000005' + '0000');
});

test('a large message is not cut where its buffer grows', () => {
  const topics = Array.from({ length: 3000 }, (_, i) => ({ name: `topic-${i}` }));
  const bytes = encodeRequest('Metadata', 12, { topics });
  const again = join(encodeRequestWithHeader('Metadata', 12, envelope, { topics }));
  expect(again.subarray(again.length - bytes.length)).toEqual(bytes);
});
