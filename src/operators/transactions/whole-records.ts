import { ConsumerRecord } from '../../core/consumer/index.js';
import { originsOf } from '../../core/records/index.js';
import { KafkaError } from '../../core/util/errors.js';
import { Batch } from '../batching/batch.js';

/**
 * Why something can't be part of a transaction; it goes back then. A transaction stores offsets, and an
 * offset has no parts: with some of a record's parts committed and others not, it would be passed too
 * early or too late.
 */
export function refusalOf(value: unknown): KafkaError | undefined {
  if (!(value instanceof ConsumerRecord)) {
    giveBack(value);
    return notARecord();
  }
  if (value.isSettled) return settled(value);
  if (!value.isPart && !value.isTaken) return undefined;
  // First of all: an operator that has it in work acks it after this.
  value.giveBack();
  return value.isPart ? divided(value) : taken(value);
}

/** Gives back whatever has come, a record or what was made of some. */
export function giveBack(value: unknown): void {
  if (value instanceof ConsumerRecord || value instanceof Batch) value.giveBack();
  for (const origin of originsOf(value)) if (origin instanceof ConsumerRecord) origin.giveBack();
}

/**
 * Why a transaction can't be committed: a record of it, or one that waits to be part of one, has been
 * settled by somebody else who has the same record.
 */
export function takenMeanwhile({
  topic,
  partition,
  offset,
}: ConsumerRecord<unknown, unknown>): KafkaError {
  return new KafkaError(
    `The record at ${topic}-${partition} offset ${offset} was acked, nacked or given back by somebody else ` +
      'while transactional had it, and only the transaction can say when it is done: let no other ' +
      'subscriber of share() see to acks, or give it a consumer of its own',
    { code: 'RECORD_TAKEN', context: { topic, partition, offset } },
  );
}

function notARecord(): KafkaError {
  return new KafkaError(
    'transactional takes records, as the source or mapEach() emits them, and got something else: ' +
      'derive within project, and flatten batches with mergeMap((batch) => batch.records)',
    { code: 'NOT_A_RECORD' },
  );
}

function settled({ topic, partition, offset }: ConsumerRecord<unknown, unknown>): KafkaError {
  return new KafkaError(
    `transactional got the record at ${topic}-${partition} offset ${offset} when it was acked, nacked ` +
      'or given back already: only the transaction can say when it is done',
    { code: 'RECORD_SETTLED', context: { topic, partition, offset } },
  );
}

function taken({ topic, partition, offset }: ConsumerRecord<unknown, unknown>): KafkaError {
  return new KafkaError(
    `transactional got the record at ${topic}-${partition} offset ${offset} while somebody else sees to ` +
      'its ack, and only the transaction can say when it is done: put processEach(), switchEach(), ' +
      'exhaustEach(), or what derives from the record, into project',
    { code: 'RECORD_TAKEN', context: { topic, partition, offset } },
  );
}

function divided({ topic, partition, offset }: ConsumerRecord<unknown, unknown>): KafkaError {
  return new KafkaError(
    `transactional got a part of the record at ${topic}-${partition} offset ${offset}, and can only ` +
      'commit the whole: put flatMapEach(), fanOut() or tee() into project',
    { code: 'RECORD_DIVIDED', context: { topic, partition, offset } },
  );
}
