import type { RecordBatch } from '../../records/index.js';
import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Remedy } from './delivery-hooks.js';
import { callbackFailed } from '../errors.js';
import { isPromise } from './decoder.js';
import type { DeserializationFailure } from '../options.js';

/** Decides, as the options say, what becomes of records that can't be read. */
export class Unreadable {
  constructor(
    private readonly context: ConsumerContext,
    private readonly onFatal: (error: KafkaError, partition: AssignedPartition) => void,
  ) {}

  /** A batch; `undefined` when not even its end is known: then there is nothing to go on with. */
  batch(partition: AssignedPartition, error: KafkaError, batch: RecordBatch | undefined): Remedy {
    const { topic, partition: index, position: offset } = partition;
    if (this.context.options.onCorruptRecord === 'fail' || batch === undefined) {
      this.onFatal(error, partition);
      return 'stop';
    }
    const nextOffset = partition.buffer.endOf(batch);
    this.context.emit({ type: 'skipped', topic, partition: index, offset, nextOffset, error });
    return 'skip';
  }

  /** A key or value that a deserializer has failed on. */
  part(
    partition: AssignedPartition,
    failure: DeserializationFailure,
  ): Remedy | { readonly value: unknown } {
    const { onDeserializationError: policy } = this.context.options;
    const { topic, partition: index, offset, error } = failure;
    if (policy === 'fail') {
      this.onFatal(error, partition);
      return 'stop';
    }
    if (policy === 'skip') {
      const nextOffset = offset + 1;
      this.context.emit({ type: 'skipped', topic, partition: index, offset, nextOffset, error });
      return 'skip';
    }
    const failed = (cause: unknown) =>
      this.onFatal(callbackFailed('onDeserializationError', cause), partition);
    try {
      const value = policy(failure);
      // After it has failed nothing is delivered, whatever stands there.
      return { value: isPromise(value) ? value.then(undefined, failed) : value };
    } catch (cause) {
      failed(cause);
      return 'stop';
    }
  }
}
