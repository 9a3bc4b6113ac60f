import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  allApis,
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  decodeWhole,
  encodeMessage,
  Reader,
  RequestHeader,
  ResponseHeader,
  StickyAssignorUserData,
  Writer,
  type Message,
} from '../../../src/core/protocol/index.js';
import { ProtocolError } from '../../../src/core/util/errors.js';
import { lottery, sampleOf, type Filling } from '../../support/messages.js';

const messages: readonly Message[] = [
  ...allApis.flatMap(({ request, response }): Message[] => [request, response]),
  RequestHeader,
  ResponseHeader,
  ConsumerProtocolSubscription,
  ConsumerProtocolAssignment,
  StickyAssignorUserData,
];
const everyVersion = messages.flatMap((message) => {
  const { min, max } = message.versions;
  return Array.from({ length: max - min + 1 }, (_, i) => ({ message, version: min + i }));
});
const anyVersion = fc.constantFrom(...everyVersion);

/** Decodes; anything but a value or a ProtocolError is a bug. */
function attempt(message: Message, version: number, bytes: Buffer): 'value' | 'refused' {
  try {
    decodeWhole(new Reader(bytes), message, version);
    return 'value';
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    expect(error.message).toMatch(new RegExp(`^Cannot decode ${message.name}@${version}`));
    return 'refused';
  }
}

function encode(message: Message, version: number, filling: Filling): Buffer {
  const writer = new Writer();
  encodeMessage(writer, message, version, sampleOf(message, version, filling) as never);
  return writer.toBuffer();
}

test('random bytes decode to a value or a ProtocolError, in every version of every message', () => {
  for (const { message, version } of everyVersion) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        attempt(message, version, Buffer.from(bytes));
      }),
      { numRuns: 15 },
    );
  }
});

test('a valid message cut anywhere is refused, in every version of every message', () => {
  for (const { message, version } of everyVersion) {
    const bytes = encode(message, version, { how: 'full' });
    const step = Math.max(1, Math.floor(bytes.length / 40));
    for (let length = 0; length < bytes.length; length += step) {
      expect(attempt(message, version, bytes.subarray(0, length))).toBe('refused');
    }
    expect(attempt(message, version, bytes)).toBe('value');
  }
});

test('a valid message with changed bytes decodes to a value or a ProtocolError', () => {
  fc.assert(
    fc.property(
      anyVersion,
      fc.integer(),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 8,
      }),
      ({ message, version }, seed, changes) => {
        const bytes = encode(message, version, { how: 'random', draw: lottery(seed) });
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
        attempt(message, version, bytes);
      },
    ),
    { numRuns: 3000 },
  );
});

test('huge claimed lengths are refused wherever they stand', () => {
  for (const { message, version } of everyVersion) {
    const bytes = encode(message, version, { how: 'full' });
    for (let at = 0; at + 5 <= bytes.length; at += 7) {
      for (const claim of ['7fffffff', 'ffffffff0f', 'fffffffe', '7fff']) {
        const hostile = Buffer.from(bytes);
        hostile.write(claim, at, 'hex');
        attempt(message, version, hostile);
      }
    }
  }
});

test('what was decoded encodes to the same bytes again', () => {
  fc.assert(
    fc.property(anyVersion, fc.integer(), ({ message, version }, seed) => {
      const bytes = encode(message, version, { how: 'random', draw: lottery(seed) });
      const decoded = decodeWhole(new Reader(bytes), message, version);
      const writer = new Writer();
      encodeMessage(writer, message, version, decoded as never);
      expect(writer.toBuffer()).toEqual(bytes);
    }),
    { numRuns: 3000 },
  );
});
