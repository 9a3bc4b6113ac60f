import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  allApis,
  brokerErrors,
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  RequestHeader,
  ResponseHeader,
  type Field,
  type Fields,
  type Message,
} from '../../../src/core/protocol/index.js';
import { parseVersions } from '../../../src/core/protocol/versions.js';
import {
  definitionsOf,
  JavaHarness,
  type DefinedField,
  type Definition,
} from '../../support/java/harness.js';

/** Fields that 4.x has dropped and 3.9 still had; they serve brokers before 0.10 and 1.0. */
const dropped = new Set([
  'ListOffsetsRequest.topics.partitions.maxNumOffsets',
  'ListOffsetsResponse.topics.partitions.oldStyleOffsets',
  'OffsetCommitRequest.topics.partitions.commitTimestamp',
  'DescribeConfigsResponse.results.configs.isDefault',
]);

/** int64 fields that legitimately go beyond 2^53, and so are bigints here. */
const wide = new Set([
  'FetchRequest.topics.partitions.highWatermark',
  'ListOffsetsRequest.topics.partitions.timestamp',
  'ListOffsetsResponse.topics.partitions.timestamp',
]);

const headers: readonly Message[] = [RequestHeader, ResponseHeader];
const embedded: readonly Message[] = [ConsumerProtocolSubscription, ConsumerProtocolAssignment];
const messages = allApis.flatMap(({ request, response }): Message[] => [request, response]);
const all = [...messages, ...headers, ...embedded];

let newest: Map<string, Definition>;
let last3: Map<string, Definition>;
let harness: JavaHarness;

beforeAll(async () => {
  harness = await JavaHarness.start('Messages', '4.3.1');
  newest = await definitionsOf(harness);
  await using older = await JavaHarness.start('Messages', '3.9.2');
  last3 = await definitionsOf(older);
});
afterAll(() => harness[Symbol.asyncDispose]());

test('every API that a broker offers clients is declared, and no other', () => {
  const forBrokers = new Set([27, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 80, 81, 82]);
  const shareState = new Set([83, 84, 85, 86, 87]);
  const streams = new Set([88, 89]);
  const expected = [...newest.values()]
    .filter(({ type, validVersions }) => type === 'request' && validVersions !== 'none')
    .map(({ apiKey }) => apiKey!)
    .filter((key) => !forBrokers.has(key) && !shareState.has(key) && !streams.has(key))
    .sort((a, b) => a - b);
  expect(allApis.map(({ key }) => key)).toEqual(expected);
});

describe.each(all.map((message) => [message.name, message] as const))('%s', (name, message) => {
  test('has the fields that Apache defines', () => {
    const definition = newest.get(name)!;
    const ours = describeFields(name, message.fields, true);
    expect(ours).toEqual(describeDefined(name, definition.fields ?? [], structsOf(definition)));
  });

  test('has the versions that Apache defines, down to those of 3.9', () => {
    const definition = newest.get(name)!;
    const { min, max } = parseVersions(definition.validVersions);
    const older = last3.get(name);
    const lowest = older === undefined ? min : parseVersions(older.validVersions).min;
    const isShare = name.startsWith('Share');
    const isHeader = headers.includes(message);
    expect(message.versions).toEqual({
      min: isShare || isHeader ? min : Math.min(min, lowest),
      max,
    });
    expect(message.flexible).toEqual(parseVersions(definition.flexibleVersions ?? 'none'));
  });
});

test('fields that 4.x dropped are as 3.9 defines them', () => {
  const found = all.flatMap((message) => {
    const older = last3.get(message.name);
    if (older === undefined) return [];
    const defined = new Map(
      describeDefined(message.name, older.fields ?? [], structsOf(older)).map((f) => [f.path, f]),
    );
    return describeFields(message.name, message.fields, false)
      .filter(({ path }) => dropped.has(path))
      .map((field) => [field, defined.get(field.path)]);
  });
  expect(found).toHaveLength(dropped.size);
  for (const [ours, theirs] of found) expect(ours).toEqual(theirs);
});

test('every error code is in the table with the marks that Apache gives it', async () => {
  const answer = await harness.ask('errors');
  const theirs = answer.split('\t').map((line) => {
    const [code, name, retriable, metadata, authorization] = line.split(',');
    return [
      Number(code),
      name,
      retriable === 'true',
      metadata === 'true',
      authorization === 'true',
    ];
  });
  const ours = brokerErrors.map((error) => [
    error.code,
    error.name,
    error.isRetriable,
    error.refreshesMetadata,
    error.isAuthorization,
  ]);
  expect(ours).toEqual(theirs);
});

interface Described {
  readonly path: string;
  readonly type: string;
  readonly versions: object;
  readonly nullable: object;
  readonly default: string;
  readonly tag: number | undefined;
  readonly ignorable: boolean;
  readonly isNeverFlexible: boolean;
}

function describeFields(path: string, fields: Fields, isCurrent: boolean): Described[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const here = `${path}.${name}`;
    if (isCurrent && dropped.has(here)) return [];
    const { versions, nullable, tag, ignorable, isNeverFlexible } = field;
    const self: Described = {
      path: here,
      type: typeOf(field, here),
      versions,
      nullable,
      default: defaultOf(field),
      tag,
      ignorable,
      isNeverFlexible,
    };
    const inner = field.fields === undefined ? [] : describeFields(here, field.fields, isCurrent);
    return [self, ...inner];
  });
}

function typeOf({ kind, element, fields }: Field, path: string): string {
  if (kind === 'array') return `[]${fields === undefined ? element : 'struct'}`;
  return kind === 'bigint' && wide.has(path) ? 'int64' : kind;
}

function defaultOf(field: Field): string {
  if (field.default === null) return 'null';
  if (field.kind === 'array' || field.kind === 'struct') return 'empty';
  if (field.kind === 'bytes' || field.kind === 'records') return 'empty';
  const plain = field.default as string | number | bigint | boolean;
  return String(plain);
}

type Structs = ReadonlyMap<string, readonly DefinedField[]>;

function structsOf({ commonStructs = [] }: Definition): Structs {
  return new Map(commonStructs.map(({ name, fields }) => [name, fields]));
}

function describeDefined(
  path: string,
  fields: readonly DefinedField[],
  structs: Structs,
): Described[] {
  return fields.flatMap((field) => {
    const here = `${path}.${field.name.charAt(0).toLowerCase()}${field.name.slice(1)}`;
    const isArray = field.type.startsWith('[]');
    const base = isArray ? field.type.slice(2) : field.type;
    const isStruct = /^[A-Z]/.test(base);
    const self: Described = {
      path: here,
      type: `${isArray ? '[]' : ''}${isStruct ? 'struct' : base}`,
      versions: parseVersions(field.versions),
      nullable: parseVersions(field.nullableVersions ?? 'none'),
      default: definedDefault(field, isArray || isStruct, base),
      tag: field.tag,
      ignorable: field.ignorable ?? false,
      isNeverFlexible: field.flexibleVersions === 'none',
    };
    const inner = isStruct ? (field.fields ?? structs.get(base) ?? []) : [];
    return [self, ...describeDefined(here, inner, structs)];
  });
}

function definedDefault(field: DefinedField, isComposite: boolean, type: string): string {
  if (field.default === 'null') return 'null';
  if (isComposite || type === 'bytes' || type === 'records') return 'empty';
  if (field.default === undefined) {
    return { bool: 'false', string: '', uuid: 'AAAAAAAAAAAAAAAAAAAAAA' }[type] ?? '0';
  }
  const text = String(field.default);
  return type.includes('int')
    ? String(BigInt(text.replace(/^-/, '')) * (text.startsWith('-') ? -1n : 1n))
    : text;
}
