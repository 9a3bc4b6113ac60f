import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';

/** Tells, once for each assignment, that everything that was there has been delivered. */
export function noteCaughtUp(
  { options, emit }: ConsumerContext,
  partition: AssignedPartition,
): void {
  if (partition.isCaughtUp || partition.phase !== 'active') return;
  const end = partition.endOfLog(options.isolationLevel === 'read_committed');
  const { topic, partition: index, position: offset } = partition;
  if (end < 0 || offset < end) return;
  partition.isCaughtUp = true;
  emit({ type: 'caught-up', topic, partition: index, offset });
}
