import { plainPartition } from '../../group/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { UserCallbacks } from '../callbacks.js';
import type { ConsumerContext } from '../context.js';
import { nameOf } from '../errors.js';
import type { PartitionOffset } from '../events.js';
import type { StartPosition } from '../positions/positions.js';
import { checkOffset } from '../topics.js';
import type { Drainer } from './drainer.js';

/** Where the user's `onAssign` says to begin, if there is one; by the partitions' names. */
export async function askOnAssign(
  { options, clock }: ConsumerContext,
  callbacks: UserCallbacks,
  partitions: readonly AssignedPartition[],
  drainer: Pick<Drainer, 'called'>,
): Promise<ReadonlyMap<string, StartPosition>> {
  const starts = new Map<string, StartPosition>();
  const { onAssign, drainTimeoutMs } = options;
  if (onAssign === undefined) return starts;
  const asked = callbacks.call(
    'onAssign',
    () => onAssign(partitions.map(plainPartition)),
    (offsets) => {
      if (!Array.isArray(offsets)) return;
      for (const given of offsets as readonly PartitionOffset[]) {
        starts.set(nameOf(given), { from: 'offset', offset: checkOffset(given.offset) });
      }
    },
  );
  await drainer.called(asked, clock.monotonic() + drainTimeoutMs);
  return starts;
}
