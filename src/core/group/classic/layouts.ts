import type { TopicLayout } from '../assignors/assignor.js';
import type { Layouts } from '../machine.js';

/** How topics differ from what they were; `undefined` when they don't. */
export function layoutsDiffer(
  before: Layouts,
  now: Layouts,
  comparesRacks: boolean,
): string | undefined {
  for (const [topic, layout] of now) {
    const known = before.get(topic);
    if (known === undefined) return `topic ${topic} appeared`;
    if (known.partitionCount !== layout.partitionCount) {
      return `topic ${topic} has ${layout.partitionCount} partitions now`;
    }
    if (comparesRacks && !sameRacks(known, layout)) return `replicas of ${topic} moved`;
  }
  const gone = [...before.keys()].find((topic) => !now.has(topic));
  return gone === undefined ? undefined : `topic ${gone} is gone`;
}

function sameRacks(a: TopicLayout, b: TopicLayout): boolean {
  return a.racks.every((racks, partition) => {
    const others = new Set(b.racks[partition]);
    const mine = new Set(racks);
    return mine.size === others.size && [...mine].every((rack) => others.has(rack));
  });
}
