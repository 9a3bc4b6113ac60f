import { readBatches, recordsOf, type RecordBatch } from '../../core/records/index.js';
import { CorruptRecordError } from '../../core/util/errors.js';
import { Errors } from '../error-codes.js';
import { Rejection, type RecordFault } from './rejection.js';
import type { TopicConfig } from './topic-config.js';

/** What produced batches are judged by. */
export interface ValidationRules {
  readonly topic: string;
  readonly partition: number;
  readonly config: TopicConfig;
  /** Read every record of every batch, as real brokers do, instead of trusting the headers. */
  readonly isDeep: boolean;
  readonly nowMs: number;
}

const FIRST_VERSION_OF_MAGIC_2 = 3;
const FIRST_VERSION_WITH_ZSTD = 7;
const SHOWN_FAULTS = 3;
const MAGIC_AT = 16;
const LAST_OFFSET_DELTA_AT = 23;

/**
 * Takes produced bytes apart and checks that they have a form that the version of Produce allows.
 *
 * @param maxMagic The newest record format that the broker knows.
 * @throws Rejection with the error that a broker answers.
 */
export function readProduced(
  bytes: Buffer | null,
  version: number,
  maxMagic: number,
): RecordBatch[] {
  const batches = readWhole(bytes ?? Buffer.alloc(0));
  checkFormat(batches, version, maxMagic);
  return batches;
}

/**
 * Checks batches as a broker does before it stores them.
 *
 * @throws Rejection with the error that a broker answers.
 */
export function validateBatches(batches: readonly RecordBatch[], rules: ValidationRules): void {
  for (const batch of batches) {
    checkHeader(batch, rules);
    checkRecords(batch, rules);
  }
}

function readWhole(bytes: Buffer): RecordBatch[] {
  checkStart(bytes);
  try {
    return readBatches(bytes).map((batch) => (isOldWrapper(batch) ? renumber(batch) : batch));
  } catch (error) {
    throw corrupt(error);
  }
}

/** What a real broker finds out before it takes the first batch apart, be it whole or cut short. */
function checkStart(bytes: Buffer): void {
  const magic = bytes[MAGIC_AT];
  if (magic === undefined) return;
  if (magic > 2) {
    throw new Rejection(Errors.CORRUPT_MESSAGE, `Invalid magic found in record: ${magic}`);
  }
  const isCut = bytes.length < LAST_OFFSET_DELTA_AT + 4;
  if (magic < 2 || isCut || bytes.readInt32BE(LAST_OFFSET_DELTA_AT) >= 0) return;
  throw invalid('Batch has an invalid offset range');
}

/** A compressed set of magic 0, whose inner offsets are absolute. */
function isOldWrapper({ magic, count }: RecordBatch): boolean {
  return magic === 0 && count === -1;
}

/** Producers number such a wrapper as they like, librdkafka with 0: brokers never looked. */
function renumber(batch: RecordBatch): RecordBatch {
  const bytes = Buffer.from(batch.bytes);
  bytes.writeBigInt64BE(0x7fff_ffffn, 0);
  return readBatches(bytes)[0]!;
}

/** Which formats a version of Produce may carry. */
function checkFormat(batches: readonly RecordBatch[], version: number, maxMagic: number): void {
  if (version >= FIRST_VERSION_OF_MAGIC_2) {
    const said = `Produce requests with version ${version}`;
    if (batches.length === 0) {
      throw invalid(`${said} must have at least one record batch per partition`);
    }
    if (batches[0]!.magic !== 2) {
      throw invalid(`${said} are only allowed to contain record batches with magic version 2`);
    }
    if (batches.length > 1) {
      throw invalid(`${said} are only allowed to contain exactly one record batch per partition`);
    }
  }
  for (const batch of batches) {
    if (batch.magic > maxMagic) {
      throw new Rejection(
        Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        `The broker knows message formats up to ${maxMagic}, not ${batch.magic}`,
      );
    }
    if (compressionOf(batch) === 'zstd' && version < FIRST_VERSION_WITH_ZSTD) {
      throw new Rejection(
        Errors.UNSUPPORTED_COMPRESSION_TYPE,
        `Produce requests with version ${version} are not allowed to use ZStandard compression`,
      );
    }
  }
}

function checkHeader(batch: RecordBatch, { config, topic, partition }: ValidationRules): void {
  const place = `${topic}-${partition}`;
  if (batch.magic === 2 && batch.baseOffset !== 0) {
    throw invalid(
      `The baseOffset of the record batch in the append to ${place} should be 0, but it is ` +
        `${batch.baseOffset}`,
    );
  }
  if (batch.sizeBytes > config.maxMessageBytes) {
    throw new Rejection(
      Errors.MESSAGE_TOO_LARGE,
      `The record batch size in the append to ${place} is ${batch.sizeBytes} bytes which exceeds ` +
        `the maximum configured value of ${config.maxMessageBytes}.`,
    );
  }
  try {
    batch.verifyCrc();
  } catch (error) {
    throw corrupt(error);
  }
  if (batch.magic !== 2) return;
  const span = batch.lastOffset - batch.baseOffset + 1;
  if (span <= 0 || batch.count <= 0 || span !== batch.count) {
    throw invalid(
      `Inconsistent batch offset range in the append to ${place}: ${batch.count} records in ` +
        `offsets ${batch.baseOffset} to ${batch.lastOffset}`,
    );
  }
  if (batch.isControl) throw invalid(`Clients are not allowed to write control records`);
  if (batch.producerId >= 0 && batch.baseSequence < 0) {
    throw invalid(
      `Invalid sequence number ${batch.baseSequence} in record batch with producerId ` +
        `${batch.producerId}`,
    );
  }
}

function checkRecords(batch: RecordBatch, rules: ValidationRules): void {
  const { config, nowMs } = rules;
  if (batch.timestampType === 'LogAppendTime') {
    throw new Rejection(
      Errors.INVALID_TIMESTAMP,
      `Invalid timestamp type in the append to ${rules.topic}-${rules.partition}: a producer ` +
        `should not set LogAppendTime`,
    );
  }
  const isLate =
    !config.usesLogAppendTime && batch.maxTimestamp - nowMs > config.timestampAfterMaxMs;
  const mayBeEarly = !config.usesLogAppendTime && Number.isFinite(config.timestampBeforeMaxMs);
  const isTrusted = !rules.isDeep && batch.count >= 0;
  if (isTrusted && !config.isCompacted && !isLate && !mayBeEarly) return;
  const keyFaults: RecordFault[] = [];
  const timeFaults: RecordFault[] = [];
  let index = 0;
  for (const record of readRecords(batch)) {
    if (config.isCompacted && record.key === null) {
      const place = `topic partition ${rules.topic}-${rules.partition}`;
      const message = `Compacted topic cannot accept message without key in ${place}.`;
      keyFaults.push({ index, message });
    }
    const message = timestampFault(record.timestamp, rules);
    if (message !== undefined) timeFaults.push({ index, message });
    index++;
  }
  if (index !== batch.count && batch.count >= 0) throw invalid(`It holds ${index} records`);
  refuse(keyFaults, timeFaults);
}

function readRecords(batch: RecordBatch) {
  try {
    return [...recordsOf(batch, { checkCrcs: false })];
  } catch (error) {
    if (!(error instanceof CorruptRecordError) || batch.magic < 2) throw corrupt(error);
    throw invalid(error.message);
  }
}

function timestampFault(timestamp: number, { config, nowMs }: ValidationRules): string | undefined {
  if (config.usesLogAppendTime || timestamp < 0) return undefined;
  const earliest = nowMs - config.timestampBeforeMaxMs;
  const latest = nowMs + config.timestampAfterMaxMs;
  if (timestamp >= earliest && timestamp <= latest) return undefined;
  return `Timestamp ${timestamp} of message is out of range. The timestamp should be within [${earliest}, ${latest}]`;
}

function refuse(keyFaults: readonly RecordFault[], timeFaults: readonly RecordFault[]): void {
  const faults = [...keyFaults, ...timeFaults].sort((a, b) => a.index - b.index);
  if (faults.length === 0) return;
  if (timeFaults.length > 0) {
    const message = 'One or more records have been rejected due to invalid timestamp';
    throw new Rejection(Errors.INVALID_TIMESTAMP, message, faults);
  }
  const shown = faults.slice(0, SHOWN_FAULTS).map(({ index, message }) => `${index}: ${message}`);
  throw new Rejection(
    Errors.INVALID_RECORD,
    `One or more records have been rejected due to ${faults.length} record errors in total, and ` +
      `only showing the first three errors at most: ${shown.join(', ')}`,
    faults,
  );
}

function compressionOf(batch: RecordBatch): string {
  try {
    return batch.compressionType;
  } catch {
    // Real brokers run into it unprepared.
    throw new Rejection(Errors.UNKNOWN_SERVER_ERROR, 'Unknown compression type id');
  }
}

function corrupt(error: unknown): unknown {
  if (!(error instanceof CorruptRecordError)) return error;
  return new Rejection(Errors.CORRUPT_MESSAGE, error.message);
}

function invalid(message: string): Rejection {
  return new Rejection(Errors.INVALID_RECORD, message);
}
