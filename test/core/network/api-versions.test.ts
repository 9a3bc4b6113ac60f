import { describe, expect, test } from 'vitest';
import {
  capabilitiesOf,
  chooseVersion,
  findVersion,
  inferRelease,
  usableVersions,
  type BrokerCapabilities,
} from '../../../src/core/network/index.js';
import { apis } from '../../../src/core/protocol/index.js';
import { UnsupportedVersionError } from '../../../src/core/util/errors.js';

describe('chooseVersion', () => {
  test.each([
    ['the broker’s newest when ours is newer', [0, 9], Infinity, 9],
    ['ours when the broker’s is newer', [0, 99], Infinity, 13],
    ['the limit when both are newer', [0, 13], 5, 5],
    ['the only common one', [13, 20], Infinity, 13],
  ] as const)('takes %s', (_, range, limit, expected) => {
    expect(chooseVersion(apis.Metadata, has(3, range[0], range[1]), limit)).toBe(expected);
  });

  test('leaves out versions that are still in development', () => {
    const { InitProducerId } = apis;
    expect(InitProducerId.maxStableVersion).toBeLessThan(InitProducerId.maxVersion);
    expect(chooseVersion(InitProducerId, has(22, 0, 6))).toBe(InitProducerId.maxStableVersion);
  });

  test.each([
    ['names both ranges when there is no common one', has(3, 90, 99), /has versions 90 to 99/],
    ['says when the broker lacks the API', has(1, 0, 3), /lacks it.*Metadata.*0 to 13/],
    ['is not misled by an empty range', has(3, 5, 4), /has versions 5 to 4/],
  ])('%s', (_, broker, message) => {
    expect(() => chooseVersion(apis.Metadata, broker)).toThrow(message);
    expect(() => chooseVersion(apis.Metadata, broker)).toThrow(UnsupportedVersionError);
    expect(findVersion(apis.Metadata, broker)).toBeUndefined();
  });

  test('fails below the broker’s oldest when a limit is set', () => {
    expect(() => chooseVersion(apis.Fetch, has(1, 4, 18), 3)).toThrow(/in versions 0 to 3/);
  });
});

describe('inferRelease', () => {
  test.each([
    ['4.3', { 35: 5, 2: 11, 0: 13 }],
    ['4.2', { 35: 4, 2: 11, 0: 13 }],
    ['4.1', { 2: 10, 0: 13, 1: 18 }],
    ['4.0', { 2: 10, 0: 12, 1: 17 }],
    ['3.9', { 2: 9, 0: 11, 1: 17 }],
    ['3.8', { 0: 11, 1: 16 }],
    ['3.7', { 0: 10, 1: 16, 24: 4 }],
    ['3.6', { 0: 9, 1: 15, 24: 4 }],
    ['3.5', { 0: 9, 1: 15, 24: 3 }],
    ['3.4', { 1: 13, 4: 7, 29: 3 }],
    ['3.3', { 1: 13, 4: 6, 29: 3 }],
    ['3.2', { 11: 9, 29: 2, 1: 13 }],
    ['3.1', { 11: 7, 1: 13 }],
    ['3.0', { 2: 7, 1: 12 }],
    ['2.8', { 0: 9, 1: 12, 2: 6 }],
    ['2.7', { 0: 8, 1: 12 }],
    ['2.6', { 0: 8, 1: 11, 48: 0 }],
    ['2.5', { 0: 8, 1: 11, 29: 2 }],
    ['2.4', { 0: 8, 1: 11, 29: 1 }],
    ['2.3', { 0: 7, 1: 11 }],
    ['2.2', { 1: 10, 2: 5 }],
    ['2.1', { 1: 10, 2: 4 }],
    ['2.0', { 1: 8 }],
    ['1.1', { 1: 7 }],
    ['1.0', { 1: 6, 3: 5 }],
    ['0.11', { 1: 5, 3: 4 }],
    ['0.10.2', { 1: 3, 3: 2, 9: 2 }],
    ['0.10.1', { 1: 3, 3: 2, 9: 1 }],
    ['0.10.0', { 1: 2, 3: 1, 9: 1 }],
    ['0.10.0', {}],
    ['4.3', { 35: 99 }],
  ])('recognizes %s', (release, newest) => {
    const ranges = Object.entries(newest).map(
      ([key, max]) => [Number(key), { min: 0, max }] as const,
    );
    const capabilities = { apis: new Map(ranges), features: new Map<string, number>() };
    // The table asks for a version that is included, so what is newer than it counts as well.
    expect(inferRelease(capabilities)).toBe(release);
  });
});

describe('usableVersions', () => {
  test('gives the overlap, and leaves out what either side lacks', () => {
    const broker: BrokerCapabilities = {
      apis: new Map([
        [3, { min: 1, max: 99 }],
        [18, { min: 0, max: 2 }],
        [10, { min: 50, max: 60 }],
        [1234, { min: 0, max: 1 }],
      ]),
      features: new Map(),
    };
    expect(usableVersions(broker)).toEqual({
      Metadata: { min: 1, max: 13 },
      ApiVersions: { min: 0, max: 2 },
    });
  });

  test('does not believe brokers since 4.0 that they take Produce before version 3', () => {
    const produce = { min: 0, max: 13 };
    const since4 = new Map([
      [0, produce],
      [1, { min: 4, max: 18 }],
    ]);
    const before4 = new Map([
      [0, produce],
      [1, { min: 0, max: 17 }],
    ]);
    expect(usableVersions({ apis: since4, features: new Map() })['Produce']!.min).toBe(3);
    expect(usableVersions({ apis: before4, features: new Map() })['Produce']!.min).toBe(0);
  });
});

test.each([
  ['0.8.0', ['Produce', 'Fetch', 'ListOffsets', 'Metadata']],
  ['0.8.1', ['Produce', 'Fetch', 'ListOffsets', 'Metadata', 'OffsetCommit', 'OffsetFetch']],
] as const)('capabilitiesOf(%s) has what that line understood', (version, names) => {
  expect(Object.keys(usableVersions(capabilitiesOf(version)))).toEqual(names);
});

test('capabilitiesOf grows from line to line', () => {
  const lines = (['0.8.0', '0.8.1', '0.8.2', '0.9'] as const).map((line) => capabilitiesOf(line));
  for (const [i, older] of lines.slice(0, -1).entries()) {
    for (const [key, { max }] of older.apis) {
      expect(lines[i + 1]!.apis.get(key)!.max).toBeGreaterThanOrEqual(max);
    }
  }
});

function has(key: number, min: number, max: number): BrokerCapabilities {
  return { apis: new Map([[key, { min, max }]]), features: new Map() };
}
