import {
  contentBound,
  contentLength,
  writeSized,
  type Content,
  type HeaderContent,
} from './content.js';
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.js';

/** Length, attributes, timestamp, index, and the lengths of key, value and header list. */
const MAX_OVERHEAD_BYTES = 5 + 1 + 10 + 5 + 5 + 5 + 5;
const MAX_HEADER_OVERHEAD_BYTES = 5 + 5;

/** Exact bytes of a record of magic 2. */
export function recordSize(
  timestampDelta: number | bigint,
  index: number,
  key: Content,
  value: Content,
  headers: readonly HeaderContent[],
): number {
  let body = 1 + varlongSize(timestampDelta) + varintSize(index);
  body += sizedLength(key) + sizedLength(value) + varintSize(headers.length);
  for (const header of headers) body += sizedLength(header[0]) + sizedLength(header[1]);
  return varintSize(body) + body;
}

function sizedLength(content: Content): number {
  const length = contentLength(content);
  return length < 0 ? 1 : varintSize(length) + length;
}

/** At least the bytes of a record, without looking into strings. */
export function recordBound(
  key: Content,
  value: Content,
  headers: readonly HeaderContent[],
): number {
  let bound = MAX_OVERHEAD_BYTES + contentBound(key) + contentBound(value);
  if (headers.length === 0) return bound;
  for (const header of headers) {
    bound += MAX_HEADER_OVERHEAD_BYTES + contentBound(header[0]) + contentBound(header[1]);
  }
  return bound;
}

/** Writes a record into memory that has room for its bound; returns its end. */
export function writeRecord(
  memory: Buffer,
  start: number,
  timestampDelta: number | bigint,
  index: number,
  key: Content,
  value: Content,
  headers: readonly HeaderContent[],
): number {
  // Two bytes hold the length of most records; the others are moved.
  const bodyStart = start + 2;
  memory[bodyStart] = 0;
  let at = writeVarlong(memory, bodyStart + 1, timestampDelta);
  at = writeVarint(memory, at, index);
  at = writeSized(memory, at, key);
  at = writeSized(memory, at, value);
  if (headers.length === 0) memory[at++] = 0;
  else at = writeHeaders(memory, at, headers);
  return putLength(memory, start, bodyStart, at);
}

function writeHeaders(memory: Buffer, start: number, headers: readonly HeaderContent[]): number {
  let at = writeVarint(memory, start, headers.length);
  for (const header of headers) {
    at = writeSized(memory, at, header[0]);
    at = writeSized(memory, at, header[1]);
  }
  return at;
}

function putLength(memory: Buffer, start: number, bodyStart: number, end: number): number {
  const body = end - bodyStart;
  const size = varintSize(body);
  if (size !== 2) memory.copyWithin(start + size, bodyStart, end);
  writeVarint(memory, start, body);
  return start + size + body;
}
