import { expect, test } from 'vitest';
import {
  allApis,
  apis,
  brokerError,
  brokerErrors,
  bytesToUuid,
  encodeRequest,
  findApi,
  resolveApi,
  uuidToBytes,
} from '../../../src/core/protocol/index.js';
import { parseVersions } from '../../../src/core/protocol/versions.js';
import { ProtocolError, UnsupportedVersionError } from '../../../src/core/util/errors.js';

test('an API is found by name and by key', () => {
  expect(apis.Metadata.key).toBe(3);
  expect(findApi(3)).toBe(apis.Metadata);
  expect(resolveApi('Metadata')).toBe(apis.Metadata);
  expect(findApi(27)).toBeUndefined();
});

test('67 APIs are declared, each with a key of its own', () => {
  expect(allApis).toHaveLength(67);
  expect(new Set(allApis.map(({ key }) => key)).size).toBe(67);
});

test('an unknown name is answered with what resembles it', () => {
  expect(() => encodeRequest('metadta' as never, 1, {} as never)).toThrow(UnsupportedVersionError);
  expect(() => encodeRequest('metadata' as never, 1, {} as never)).toThrow(
    /did you mean Metadata\?/,
  );
  expect(() => encodeRequest('toString' as never, 1, {} as never)).toThrow(/no API named/);
});

test('a version still in development is declared but not chosen', () => {
  expect(apis.InitProducerId.maxVersion).toBe(6);
  expect(apis.InitProducerId.maxStableVersion).toBe(5);
});

test('the error table has every code from -1 to 133', () => {
  expect(brokerErrors.map(({ code }) => code)).toEqual(
    Array.from({ length: 135 }, (_, i) => i - 1),
  );
  for (const { message } of brokerErrors) expect(message).not.toBe('');
});

test('an error says what it means for a client', () => {
  expect(brokerError(6)).toMatchObject({
    name: 'NOT_LEADER_OR_FOLLOWER',
    isRetriable: true,
    refreshesMetadata: true,
    isFatal: false,
  });
  expect(brokerError(90).isFatal).toBe(true);
  expect(brokerError(29).isAuthorization).toBe(true);
});

test('an error of a newer broker is named by its number and not retried', () => {
  expect(brokerError(4711)).toMatchObject({ name: 'UNKNOWN_ERROR_4711', isRetriable: false });
});

test('uuids are printed as Kafka’s own tools do', () => {
  const bytes = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  expect(bytesToUuid(bytes)).toBe('ABEiM0RVZneImaq7zN3u_w');
  expect(uuidToBytes('ABEiM0RVZneImaq7zN3u_w')).toEqual(bytes);
  expect(bytesToUuid(Uint8Array.of(9, ...bytes), 1)).toBe('ABEiM0RVZneImaq7zN3u_w');
  for (const wrong of ['', 'ABEiM0RVZneImaq7zN3u_x', '00112233-4455', 'ABEiM0RVZneImaq7zN3u/w']) {
    expect(() => uuidToBytes(wrong)).toThrow(ProtocolError);
  }
});

test('version ranges are read as Kafka writes them', () => {
  expect(parseVersions('3')).toEqual({ min: 3, max: 3 });
  expect(parseVersions('3-13')).toEqual({ min: 3, max: 13 });
  expect(parseVersions('3+')).toEqual({ min: 3, max: Infinity });
  expect(parseVersions('none').max).toBeLessThan(0);
  expect(() => parseVersions('3-')).toThrow(/not a version range/);
});
