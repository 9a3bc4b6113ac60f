import type { Message } from './api.js';
import { Program, defaultSource, minWireBytes, partition } from './program.js';
import type { Reader } from './reader.js';
import type { Field, Fields, ScalarKind } from './schema.js';
import { includesVersion } from './versions.js';
import { WireError } from './wire-error.js';

/** Reads one message of one version; throws WireError on anything malformed. */
export type Decoder = (reader: Reader) => Record<string, unknown>;

/**
 * Compiles the decoder of one version. Fields that the version lacks get their default, so that all
 * versions of a message decode to objects of one shape.
 */
export function compileDecoder(message: Message, version: number): Decoder {
  const isFlexible = includesVersion(message.flexible, version);
  const program = new Program(version, isFlexible);
  const root = structFunction(program, message.fields);
  return program.link(root, { nullFailure, sizeFailure }) as Decoder;
}

function structFunction(program: Program, fields: Fields): string {
  return program.functionFor(fields, (name) => {
    const { regular, tagged, absent } = partition(fields, program);
    const lines: string[] = [];
    for (const [key, field] of absent) {
      lines.push(`const ${local(key)} = ${defaultSource(field)};`);
    }
    for (const [key, field] of regular) {
      lines.push(program.enter(name, key), `let ${local(key)};`);
      lines.push(...readInto(program, local(key), field));
    }
    if (program.isFlexible) lines.push(...readTagged(program, name, tagged));
    const result = Object.keys(fields).map((key) => `${key}: ${local(key)}`);
    lines.push(`return { ${result.join(', ')} };`);
    return { parameters: 'r', lines };
  });
}

function readTagged(
  program: Program,
  owner: string,
  tagged: readonly (readonly [string, Field])[],
): string[] {
  const cases = tagged.flatMap(([key, field]) => [
    `case ${field.tag}: {`,
    program.enter(owner, key),
    ...readInto(program, local(key), field),
    `break; }`,
  ]);
  return [
    ...tagged.map(([key, field]) => `let ${local(key)} = ${defaultSource(field)};`),
    program.enter(owner, '(tagged fields)'),
    `for (let left = r.uvarint(); left > 0; left--) {`,
    `const tag = r.uvarint(), size = r.uvarint(), end = r.position + size;`,
    // A tag that a newer broker added is not ours to judge.
    `switch (tag) { ${cases.join('\n')} default: r.skip(size); }`,
    `if (r.position !== end) sizeFailure(r, tag, size);`,
    `}`,
  ];
}

function readInto(program: Program, target: string, field: Field): string[] {
  const isNullable = includesVersion(field.nullable, program.version);
  const onNull = isNullable ? `${target} = null;` : `nullFailure(r);`;
  const isCompact = program.isFlexible && !field.isNeverFlexible;
  switch (field.kind) {
    case 'struct': {
      const read = `${target} = ${structFunction(program, field.fields!)}(r);`;
      return isNullable ? [`if (r.int8() < 0) ${target} = null; else ${read}`] : [read];
    }
    case 'array': {
      const size = minWireBytes(program, field.fields ?? field.element!);
      const count = isCompact ? `r.compactCount(${size})` : `r.count32(${size})`;
      return [
        `{ const n = ${count};`,
        `if (n < 0) { ${onNull} } else {`,
        `${target} = [];`,
        `for (i = 0; i < n; i++) ${target}.push(${elementSource(program, field)});`,
        `i = -1; } }`,
      ];
    }
    case 'string':
    case 'bytes':
    case 'records': {
      const length = lengthSource(field.kind, isCompact);
      const read = field.kind === 'string' ? 'stringOf' : 'bytesOf';
      return [`{ const n = ${length}; if (n < 0) { ${onNull} } else ${target} = r.${read}(n); }`];
    }
    default:
      return [`${target} = r.${field.kind}();`];
  }
}

function elementSource(program: Program, array: Field): string {
  if (array.fields !== undefined) return `${structFunction(program, array.fields)}(r)`;
  const kind = array.element!;
  if (kind === 'string') return `r.stringOf(${lengthSource(kind, program.isFlexible)})`;
  if (kind === 'bytes' || kind === 'records') {
    return `r.bytesOf(${lengthSource(kind, program.isFlexible)})`;
  }
  return `r.${kind}()`;
}

function lengthSource(kind: ScalarKind, isCompact: boolean): string {
  if (isCompact) return 'r.compactLength()';
  return kind === 'string' ? 'r.length16()' : 'r.length32()';
}

/** A local variable for a field: never a reserved word, never one of our own names. */
function local(key: string): string {
  return `$${key}`;
}

function nullFailure(reader: Reader): never {
  throw new WireError('is null where null is not allowed', reader.position);
}

function sizeFailure(reader: Reader, tag: number, size: number): never {
  throw new WireError(`tag ${tag} does not have the ${size} bytes it claims`, reader.position);
}
