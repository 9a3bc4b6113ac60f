import type { Message } from './api.js';
import { Program, defaultSource, isDefaultSource, partition } from './program.js';
import type { Field, Fields, ScalarKind } from './schema.js';
import { includesVersion, type VersionRange } from './versions.js';
import { WireError } from './wire-error.js';
import { wrongType, type Writer } from './writer.js';

/** Writes one message of one version; throws WireError on a value that does not fit. */
export type Encoder = (writer: Writer, value: unknown) => void;

/** Compiles the encoder of one version. */
export function compileEncoder(message: Message, version: number): Encoder {
  const isFlexible = includesVersion(message.flexible, version);
  const program = new Program(version, isFlexible);
  const root = structFunction(program, message.fields);
  return program.link(root, { wrongType, unknownField, lackingField }) as Encoder;
}

function structFunction(program: Program, fields: Fields): string {
  return program.functionFor(fields, (name) => {
    const { regular, tagged, absent } = partition(fields, program);
    const known = program.constant(new Set(Object.keys(fields)));
    const lines = [
      `if (o === null || typeof o !== 'object') throw wrongType(o, 'an object');`,
      `for (const key in o) if (!${known}.has(key)) unknownField(key, ${known});`,
    ];
    for (const [key, field] of absent) {
      if (field.ignorable) continue;
      const range = program.constant(field.versions);
      lines.push(program.enter(name, key));
      lines.push(
        `{ const v = o.${key}; if (v !== undefined && !(${isDefaultSource('v', field)})) lackingField(${range}, ${program.version}); }`,
      );
    }
    for (const [key, field] of regular) {
      lines.push(program.enter(name, key), `{ let v = o.${key};`);
      lines.push(`if (v === undefined) v = ${defaultSource(field)};`);
      lines.push(...writeValue(program, field), `}`);
    }
    if (program.isFlexible) lines.push(...writeTagged(program, name, tagged));
    return { parameters: 'w, o', lines };
  });
}

function writeTagged(
  program: Program,
  owner: string,
  tagged: readonly (readonly [string, Field])[],
): string[] {
  if (tagged.length === 0) return ['w.uvarint(0);'];
  const inOrder = [...tagged].sort(([, a], [, b]) => a.tag! - b.tag!);
  const isSet = (key: string, field: Field) =>
    `(o.${key} !== undefined && !(${isDefaultSource(`o.${key}`, field)}))`;
  return [
    `w.uvarint(${inOrder.map(([key, field]) => `(${isSet(key, field)} ? 1 : 0)`).join(' + ')});`,
    ...inOrder.flatMap(([key, field]) => [
      program.enter(owner, key),
      `if (${isSet(key, field)}) {`,
      `const v = o.${key};`,
      `w.uvarint(${field.tag}); const size = w.beginSized();`,
      ...writeValue(program, field),
      `w.endSized(size); }`,
    ]),
  ];
}

/** Statements that write `v`. */
function writeValue(program: Program, field: Field): string[] {
  const isCompact = program.isFlexible && !field.isNeverFlexible;
  const write = writeNonNull(program, field, isCompact);
  if (!includesVersion(field.nullable, program.version)) return write;
  return [`if (v === null) ${nullSource(field.kind, isCompact)}; else {`, ...write, `}`];
}

function writeNonNull(program: Program, field: Field, isCompact: boolean): string[] {
  switch (field.kind) {
    case 'struct': {
      const write = `${structFunction(program, field.fields!)}(w, v);`;
      const isNullable = includesVersion(field.nullable, program.version);
      return isNullable ? [`w.int8(1);`, write] : [write];
    }
    case 'array': {
      const write =
        field.fields === undefined
          ? `w.${scalarMethod(field.element!, program.isFlexible)}(list[i]);`
          : `${structFunction(program, field.fields)}(w, list[i]);`;
      return [
        `const list = w.${isCompact ? 'compactCount' : 'count'}(v);`,
        `for (i = 0; i < list.length; i++) ${write}`,
        `i = -1;`,
      ];
    }
    default:
      return [`w.${scalarMethod(field.kind, isCompact)}(v);`];
  }
}

function nullSource(kind: Field['kind'], isCompact: boolean): string {
  if (kind === 'struct') return 'w.int8(-1)';
  if (isCompact) return 'w.compactNull()';
  return kind === 'string' ? 'w.nullString()' : 'w.nullLength()';
}

function scalarMethod(kind: ScalarKind, isCompact: boolean): string {
  switch (kind) {
    case 'string':
      return isCompact ? 'compactString' : 'string';
    case 'bytes':
    case 'records':
      return isCompact ? 'compactBytes' : 'bytes';
    default:
      return kind;
  }
}

function unknownField(key: string, known: ReadonlySet<string>): never {
  throw new WireError(`has no field '${key}'; it has ${[...known].join(', ')}`);
}

function lackingField(range: VersionRange, version: number): never {
  const since = range.max === Infinity ? `${range.min}+` : `${range.min}-${range.max}`;
  throw new WireError(
    `is set, but version ${version} lacks it (it has versions ${since}); leave it at its default`,
  );
}
