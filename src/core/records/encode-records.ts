import type { BatchBuilderOptions } from './builder-options.js';
import type { Content, HeaderContent } from './content.js';
import type { ProducerState } from './patch-batch.js';
import { RecordBatchBuilder } from './record-batch-builder.js';

/** A record to write, for prompt use. */
export interface RecordContent {
  /** Default: null. */
  readonly key?: Content;
  /** Default: null. */
  readonly value?: Content;
  /** Default: none. */
  readonly headers?: readonly HeaderContent[];
  /** Milliseconds since 1970; a bigint beyond 2^53. Default: -1, which means none. */
  readonly timestamp?: number | bigint;
}

/** How to encode a list of records. */
export interface EncodeOptions extends BatchBuilderOptions {
  /** Who sends the batch. Default: nobody in particular, -1 each. */
  readonly producer?: ProducerState;
}

/**
 * Encodes records as one batch (magic 2) or message set, as it goes into a Produce request.
 *
 * @throws ConfigError when options are out of range or do not fit each other.
 * @example
 * encodeRecords([{ key: 'a', value: 'hello' }], { compressionType: 'lz4' });
 */
export function encodeRecords(
  records: Iterable<RecordContent>,
  options: EncodeOptions = {},
): Buffer {
  const builder = new RecordBatchBuilder(options);
  for (const { key = null, value = null, headers = [], timestamp = -1 } of records) {
    builder.append(key, value, headers, timestamp);
  }
  return builder.close(options.producer);
}
