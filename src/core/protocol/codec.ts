import { KafkaError, ProtocolError } from '../util/errors.js';
import { checkDeclared, type Message } from './api.js';
import { compileDecoder, type Decoder } from './compile-decoder.js';
import { compileEncoder, type Encoder } from './compile-encoder.js';
import type { Reader } from './reader.js';
import type { Decoded, Encodable, Fields } from './schema.js';
import { formatPath, WireError } from './wire-error.js';
import type { Writer } from './writer.js';

const encoders = new WeakMap<Message, Map<number, Encoder>>();
const decoders = new WeakMap<Message, Map<number, Decoder>>();

/** Writes a struct of one version. Throws {@link ProtocolError} naming the field at fault. */
export function encodeMessage<F extends Fields>(
  writer: Writer,
  message: Message<F>,
  version: number,
  value: Encodable<F>,
): void {
  const encode = compiled(encoders, message, version, compileEncoder);
  try {
    encode(writer, value);
  } catch (error) {
    throw failure('encode', error, message, version);
  }
}

/**
 * Reads a struct of one version from where the reader stands; what follows is the caller's. Throws
 * {@link ProtocolError} naming the field and the position at fault.
 */
export function decodeMessage<F extends Fields>(
  reader: Reader,
  message: Message<F>,
  version: number,
): Decoded<F> {
  const decode = compiled(decoders, message, version, compileDecoder);
  try {
    return decode(reader) as Decoded<F>;
  } catch (error) {
    throw failure('decode', error, message, version);
  }
}

/** As {@link decodeMessage}, but nothing may follow. */
export function decodeWhole<F extends Fields>(
  reader: Reader,
  message: Message<F>,
  version: number,
): Decoded<F> {
  const value = decodeMessage(reader, message, version);
  if (reader.remaining > 0) {
    const left = new WireError(`${reader.remaining} bytes are left over`, reader.position);
    throw failure('decode', left, message, version);
  }
  return value;
}

function compiled<T>(
  cache: WeakMap<Message, Map<number, T>>,
  message: Message,
  version: number,
  compile: (message: Message, version: number) => T,
): T {
  let versions = cache.get(message);
  if (versions === undefined) cache.set(message, (versions = new Map<number, T>()));
  let result = versions.get(version);
  if (result === undefined) {
    checkDeclared(message, version);
    versions.set(version, (result = compile(message, version)));
  }
  return result;
}

function failure(
  doing: 'encode' | 'decode',
  error: unknown,
  { name }: Message,
  version: number,
): unknown {
  if (error instanceof KafkaError) return error;
  const api = `${name}@${version}`;
  const context = { context: { api }, cause: error };
  if (!(error instanceof WireError)) {
    return new ProtocolError(`Cannot ${doing} ${api}: ${String(error)}`, context);
  }
  const path = error.path.length > 0 ? `: ${formatPath(error.path)}` : ':';
  const at = error.position === undefined ? '' : ` (at byte ${error.position})`;
  return new ProtocolError(`Cannot ${doing} ${api}${path} ${error.message}${at}`, context);
}
