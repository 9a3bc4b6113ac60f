import type { Field, Fields, Message } from '../../src/core/protocol/index.js';
import { includesVersion } from '../../src/core/protocol/index.js';

/** A source of numbers from 0 up to, not including, 1: the same for the same seed. */
export function lottery(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

/** How a sample is filled. */
export type Filling =
  /** Nothing is set. */
  | { readonly how: 'defaults' }
  /** Every field has a value that is not its default. */
  | { readonly how: 'full' }
  /** Whatever may be null is, arrays are empty. */
  | { readonly how: 'nulls' }
  | { readonly how: 'random'; readonly draw: () => number };

type Struct = Record<string, unknown>;

/** A value of a message, with just the fields that the version has. */
export function sampleOf({ fields }: Message, version: number, filling: Filling): Struct {
  return sampleStruct(fields, version, filling);
}

function sampleStruct(fields: Fields, version: number, filling: Filling): Struct {
  const struct: Struct = {};
  for (const [name, field] of Object.entries(fields)) {
    if (!includesVersion(field.versions, version)) continue;
    struct[name] = sampleField(field, version, filling);
  }
  return struct;
}

function sampleField(field: Field, version: number, filling: Filling): unknown {
  const isNullable = includesVersion(field.nullable, version);
  if (filling.how === 'defaults') return defaultOf(field, version, filling);
  if (isNullable && (filling.how === 'nulls' || chance(filling, 0.2))) return null;
  if (field.kind === 'array') return sampleArray(field, version, filling);
  if (field.kind === 'struct') return sampleStruct(field.fields!, version, filling);
  return sampleScalar(field.kind, filling);
}

function defaultOf(field: Field, version: number, filling: Filling): unknown {
  if (field.kind === 'struct' && field.default !== null) {
    return sampleStruct(field.fields!, version, filling);
  }
  // A default of null that the version can't express becomes the zero of its type.
  if (field.default !== null || includesVersion(field.nullable, version)) return field.default;
  return sampleField({ ...field, default: undefined }, version, { how: 'nulls' });
}

function sampleArray(field: Field, version: number, filling: Filling): unknown[] {
  const length =
    filling.how === 'nulls' ? 0 : filling.how === 'random' ? Math.floor(filling.draw() * 3) : 2;
  return Array.from({ length }, (_, i) => {
    if (field.fields === undefined) return sampleScalar(field.element!, filling, i);
    return distinct(sampleStruct(field.fields, version, filling), i);
  });
}

/** Apache keeps some arrays as sets: their elements must differ. */
function distinct(struct: Struct, i: number): Struct {
  for (const [name, value] of Object.entries(struct)) {
    if (typeof value === 'string' && value.length !== 22) struct[name] = `${value}-${i}`;
    else if (typeof value === 'number') struct[name] = value > 100 ? value - i : value + i;
  }
  return struct;
}

function sampleScalar(kind: string, filling: Filling, i = 0): unknown {
  const lot = filling.how === 'random' ? filling.draw() : filling.how === 'nulls' ? 0 : 0.6;
  const between = (min: number, max: number) => Math.floor(min + lot * (max - min));
  switch (kind) {
    case 'bool':
      return lot >= 0.5;
    case 'int8':
      return between(-0x80, 0x70) + i;
    case 'int16':
      return between(-0x8000, 0x7ff0) + i;
    case 'uint16':
      return between(0, 0xfff0) + i;
    case 'int32':
      return between(-0x8000_0000, 0x7fff_fff0) + i;
    case 'int64':
      return between(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 16) + i;
    case 'bigint':
      return BigInt(between(-0x8000_0000, 0x7fff_ffff)) * 0x1_0000_0000n + BigInt(i);
    case 'float64':
      return lot * 1e9 + i;
    case 'string':
      return ['', 'plain', 'grüße-日本-🎉', 'x'.repeat(300)][between(0, 4)]!.concat(
        i === 0 ? '' : String(i),
      );
    case 'uuid':
      return Buffer.alloc(16, between(1, 250) + i).toString('base64url');
    case 'bytes':
    case 'records':
      return Buffer.alloc(between(0, 40), 0xab);
    default:
      throw new Error(`no sample for ${kind}`);
  }
}

function chance(filling: Filling, probability: number): boolean {
  return filling.how === 'random' && filling.draw() < probability;
}
