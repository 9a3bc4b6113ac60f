import type { Field, Fields } from '../../../src/core/protocol/index.js';
import { includesVersion } from '../../../src/core/protocol/index.js';

/**
 * A message as Apache's converters read it. Records fields, which they can't read, are left empty
 * and returned aside in base64, in the order of the message.
 */
export function toJavaJson(
  fields: Fields,
  version: number,
  value: Record<string, unknown>,
): { json: string; records: string[] } {
  const records: string[] = [];
  return { json: struct(fields, version, value, records), records };
}

function struct(
  fields: Fields,
  version: number,
  value: Record<string, unknown>,
  records: string[],
): string {
  const entries = Object.entries(fields)
    .filter(([, field]) => includesVersion(field.versions, version))
    .map(([name, field]) => `"${name}":${any(field, version, value[name], records)}`);
  return `{${entries.join(',')}}`;
}

function any(field: Field, version: number, value: unknown, records: string[]): string {
  if (value === null) return 'null';
  if (field.kind === 'struct') {
    return struct(field.fields!, version, value as Record<string, unknown>, records);
  }
  if (field.kind !== 'array') return scalar(field.kind, value, records);
  const elements = (value as unknown[]).map((element) =>
    field.fields === undefined
      ? scalar(field.element!, element, records)
      : struct(field.fields, version, element as Record<string, unknown>, records),
  );
  return `[${elements.join(',')}]`;
}

function scalar(kind: string, value: unknown, records: string[]): string {
  switch (kind) {
    case 'bigint':
      return String(value);
    case 'float64':
      return Number.isInteger(value) ? (value as number).toFixed(1) : String(value);
    case 'bytes':
      return JSON.stringify((value as Buffer).toString('base64'));
    case 'records':
      records.push((value as Buffer).toString('base64'));
      return '""';
    default:
      return JSON.stringify(value);
  }
}
