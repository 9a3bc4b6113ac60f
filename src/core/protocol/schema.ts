import { ZERO_UUID } from './uuid.js';
import { parseVersions, type VersionRange } from './versions.js';

/** What a scalar field holds, by its name in Kafka's protocol guide. */
export interface ScalarTypes {
  bool: boolean;
  int8: number;
  int16: number;
  uint16: number;
  int32: number;
  /** Checked to be a safe integer in both directions. */
  int64: number;
  /** An int64 for which values beyond 2^53 are legitimate. */
  bigint: bigint;
  float64: number;
  string: string;
  bytes: Buffer;
  /** Record batches as they are on the wire. */
  records: Buffer;
  /** 22 characters of base64url, as Kafka's own tools print them. */
  uuid: string;
}

/** What may be given where a scalar is encoded. */
interface ScalarInputs extends Omit<ScalarTypes, 'bigint' | 'bytes' | 'records'> {
  bigint: bigint | number;
  bytes: Uint8Array;
  records: Uint8Array;
}

export type ScalarKind = keyof ScalarTypes;

export interface FieldOptions {
  /** Versions in which the field may be null. */
  readonly nullable?: string;
  /** The value of a field that is not given, or that the version lacks. Kafka's zero otherwise. */
  readonly default?: unknown;
  /** The number of a tagged field: absent from the wire while it has its default (KIP-482). */
  readonly tag?: number;
  /** May silently be left out when the version lacks the field. */
  readonly ignorable?: true;
  /** `none` for the one field that keeps its old encoding in flexible versions. */
  readonly flexible?: 'none';
}

declare const types: unique symbol;

/** One declared field. Built by {@link int32}, {@link array}, ...; read by the compiler. */
export interface Field<Out = unknown, In = Out, Required extends boolean = boolean> {
  readonly kind: ScalarKind | 'struct' | 'array';
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  readonly default: unknown;
  readonly tag: number | undefined;
  readonly ignorable: boolean;
  readonly isNeverFlexible: boolean;
  /** Of a struct, or of an array of structs. */
  readonly fields: Fields | undefined;
  /** Of an array of scalars. */
  readonly element: ScalarKind | undefined;
  readonly [types]?: { out: Out; in: In; required: Required };
}

/** The fields of a struct, in the order of the wire. */
export type Fields = Readonly<Record<string, Field>>;

type TypesOf<F extends Field> = NonNullable<F[typeof types]>;

/** A struct as decoded: every field is there, those that the version lacks have their default. */
export type Decoded<F extends Fields> = { -readonly [K in keyof F]: TypesOf<F[K]>['out'] };

/** A struct to be encoded: what has a default, or is not in every version, may be left out. */
export type Encodable<F extends Fields> = {
  readonly [K in keyof F as TypesOf<F[K]>['required'] extends true ? K : never]: TypesOf<
    F[K]
  >['in'];
} & {
  readonly [K in keyof F as TypesOf<F[K]>['required'] extends true ? never : K]?:
    TypesOf<F[K]>['in'] | undefined;
};

type OrNull<T, O> = O extends { nullable: string } ? T | null : T;
type IsRequired<V, O> = O extends { default: unknown } | { tag: number }
  ? false
  : V extends '0+'
    ? true
    : false;

type ScalarField<K extends ScalarKind, V, O> = Field<
  OrNull<ScalarTypes[K], O>,
  OrNull<ScalarInputs[K], O>,
  IsRequired<V, O>
>;

const zeros: ScalarTypes = {
  bool: false,
  int8: 0,
  int16: 0,
  uint16: 0,
  int32: 0,
  int64: 0,
  bigint: 0n,
  float64: 0,
  string: '',
  bytes: Buffer.alloc(0),
  records: Buffer.alloc(0),
  uuid: ZERO_UUID,
};

function field(
  kind: Field['kind'],
  versions: string,
  options: FieldOptions,
  zero: unknown,
  inner: { fields?: Fields; element?: ScalarKind } = {},
): Field {
  return {
    kind,
    versions: parseVersions(versions),
    nullable: parseVersions(options.nullable ?? 'none'),
    default: 'default' in options ? options.default : zero,
    tag: options.tag,
    ignorable: options.ignorable ?? false,
    isNeverFlexible: options.flexible === 'none',
    fields: inner.fields,
    element: inner.element,
  };
}

function scalar<K extends ScalarKind>(kind: K) {
  return <const V extends string, const O extends FieldOptions = object>(
    versions: V,
    options?: O,
  ): ScalarField<K, V, O> =>
    field(kind, versions, options ?? {}, zeros[kind]) as ScalarField<K, V, O>;
}

export const bool = scalar('bool');
export const int8 = scalar('int8');
export const int16 = scalar('int16');
export const uint16 = scalar('uint16');
export const int32 = scalar('int32');
export const int64 = scalar('int64');
export const bigint = scalar('bigint');
export const float64 = scalar('float64');
export const string = scalar('string');
export const bytes = scalar('bytes');
export const records = scalar('records');
export const uuid = scalar('uuid');

/** A struct inside a struct. */
export function struct<
  const V extends string,
  const F extends Fields,
  const O extends FieldOptions = object,
>(
  versions: V,
  fields: F,
  options?: O,
): Field<OrNull<Decoded<F>, O>, OrNull<Encodable<F>, O>, IsRequired<V, O>> {
  // A struct's zero is the struct of its fields' defaults; the compiler builds it for each use.
  return field('struct', versions, options ?? {}, undefined, { fields }) as never;
}

/** A list of scalars, named by kind, or of structs, given by their fields. */
export function array<
  const V extends string,
  const E extends ScalarKind | Fields,
  const O extends FieldOptions = object,
>(
  versions: V,
  element: E,
  options?: O,
): E extends ScalarKind
  ? Field<OrNull<ScalarTypes[E][], O>, OrNull<readonly ScalarInputs[E][], O>, IsRequired<V, O>>
  : E extends Fields
    ? Field<OrNull<Decoded<E>[], O>, OrNull<readonly Encodable<E>[], O>, IsRequired<V, O>>
    : never {
  const inner: { fields?: Fields; element?: ScalarKind } =
    typeof element === 'string' ? { element } : { fields: element };
  return field('array', versions, options ?? {}, [], inner) as never;
}
