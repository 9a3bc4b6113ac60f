import { invariant } from '../util/assert.js';
import type { Field, Fields, ScalarKind } from './schema.js';
import { includesVersion } from './versions.js';
import { locate } from './wire-error.js';

type NamedField = readonly [name: string, field: Field];

/**
 * The source of one encoder or decoder while it grows: a function for each struct, and the
 * constants they share.
 *
 * Generated code, because a chain of closures over field tables costs several times as much: every
 * call and every store in it is megamorphic. The source consists of our own declarations only;
 * nothing from the network or from the user enters it (docs/decisions.md).
 */
export class Program {
  private readonly functions = new Map<Fields, string>();
  private readonly sources: string[] = [];
  private readonly constants: unknown[] = [];
  private readonly fieldNames = new Map<string, string[]>();

  constructor(
    readonly version: number,
    readonly isFlexible: boolean,
  ) {}

  /** A name for a value that the generated code refers to. */
  constant(value: unknown): string {
    return `c[${this.constants.push(value) - 1}]`;
  }

  /** The function of a struct, generated when it is first asked for. */
  functionFor(
    fields: Fields,
    build: (name: string) => { parameters: string; lines: string[] },
  ): string {
    const existing = this.functions.get(fields);
    if (existing !== undefined) return existing;
    const name = `s${this.functions.size}`;
    this.functions.set(fields, name);
    this.fieldNames.set(name, []);
    const { parameters, lines } = build(name);
    const names = this.constant(this.fieldNames.get(name));
    // `at` and `i` say where an error came from; keeping them costs nothing measurable.
    this.sources.push(
      `function ${name}(${parameters}) { let at = -1, i = -1; try {`,
      ...lines,
      `} catch (error) { throw locate(error, ${names}[at], i); } }`,
    );
    return name;
  }

  /** A statement that notes which field of a struct is at work. */
  enter(owner: string, field: string): string {
    const names = this.fieldNames.get(owner)!;
    return `at = ${names.push(field) - 1};`;
  }

  /** Turns the source into a function. */
  link(root: string, helpers: Readonly<Record<string, unknown>>): unknown {
    const scope = { ...helpers, locate, c: this.constants };
    const body = `'use strict';\n${this.sources.join('\n')}\nreturn ${root};`;
    // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
    return new Function(...Object.keys(scope), body)(...Object.values(scope));
  }
}

/** Sorts the fields of a struct by what a version does with them. */
export function partition(
  fields: Fields,
  { version, isFlexible }: Program,
): { regular: NamedField[]; tagged: NamedField[]; absent: NamedField[] } {
  const regular: NamedField[] = [];
  const tagged: NamedField[] = [];
  const absent: NamedField[] = [];
  for (const named of Object.entries(fields)) {
    const [, field] = named;
    if (!includesVersion(field.versions, version)) absent.push(named);
    else if (field.tag === undefined) regular.push(named);
    else (isFlexible ? tagged : absent).push(named);
  }
  return { regular, tagged, absent };
}

/** An expression for the value of a field that is not given. */
export function defaultSource(field: Field): string {
  if (field.default === null) return 'null';
  switch (field.kind) {
    case 'struct': {
      const inner = Object.entries(field.fields!).map(([k, f]) => `${k}: ${defaultSource(f)}`);
      return `{ ${inner.join(', ')} }`;
    }
    case 'array':
      return '[]';
    case 'bytes':
    case 'records':
      return 'Buffer.alloc(0)';
    case 'bigint':
      return `${field.default as bigint}n`;
    default:
      return JSON.stringify(field.default);
  }
}

/** An expression that tells whether `value` is the default of a field. */
export function isDefaultSource(value: string, field: Field): string {
  if (field.default === null) return `${value} === null`;
  switch (field.kind) {
    case 'struct': {
      const inner = Object.entries(field.fields!).map(
        ([k, f]) => `(${value}.${k} === undefined || (${isDefaultSource(`${value}.${k}`, f)}))`,
      );
      return `(${value} !== null && typeof ${value} === 'object' && ${inner.join(' && ')})`;
    }
    case 'array':
      return `(Array.isArray(${value}) && ${value}.length === 0)`;
    case 'bytes':
    case 'records':
      return `(${value} instanceof Uint8Array && ${value}.length === 0)`;
    case 'int64':
    case 'bigint':
      // Loosely, because both a number and a bigint may be given.
      return `${value} == ${field.default as bigint}n`;
    default:
      return `${value} === ${JSON.stringify(field.default)}`;
  }
}

/** The fewest bytes that an element of an array takes: what bounds a count that the network claims. */
export function minWireBytes(program: Program, element: ScalarKind | Fields): number {
  if (typeof element === 'string') return minScalarBytes(element, program.isFlexible);
  const { regular } = partition(element, program);
  const tagCount = program.isFlexible ? 1 : 0;
  const total = regular.reduce((sum, [, field]) => sum + minFieldBytes(program, field), tagCount);
  invariant(total > 0, 'an array of structs that take no bytes could be of any length');
  return total;
}

function minFieldBytes(program: Program, field: Field): number {
  const isCompact = program.isFlexible && !field.isNeverFlexible;
  if (field.kind === 'array') return isCompact ? 1 : 4;
  if (field.kind !== 'struct') return minScalarBytes(field.kind, isCompact);
  const isNullable = includesVersion(field.nullable, program.version);
  return isNullable ? 1 : minWireBytes(program, field.fields!);
}

function minScalarBytes(kind: ScalarKind, isCompact: boolean): number {
  switch (kind) {
    case 'bool':
    case 'int8':
      return 1;
    case 'int16':
    case 'uint16':
      return 2;
    case 'int32':
      return 4;
    case 'int64':
    case 'bigint':
    case 'float64':
      return 8;
    case 'uuid':
      return 16;
    case 'string':
      return isCompact ? 1 : 2;
    case 'bytes':
    case 'records':
      return isCompact ? 1 : 4;
  }
}
