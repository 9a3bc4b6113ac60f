import type { TopicPartition } from '../topic-partition.js';
import { firstInHashOrder, tableSizeFor } from './java-order.js';

interface Pair {
  readonly source: string;
  readonly target: string;
}

/** The partitions of a topic that went from one member to another. */
interface Moved {
  readonly partitions: Set<TopicPartition>;
  tableSize: number;
}

/**
 * What has moved from whom to whom while a group is balanced, so that no two partitions of a topic
 * end up swapped between two members, where both could have stayed.
 */
export class Movements {
  private readonly byTopic = new Map<string, Map<string, Moved>>();
  private readonly current = new Map<TopicPartition, Pair>();

  /**
   * The partition to move from one member to another in place of the one that was chosen: one of the
   * same topic that went the opposite way before, if there is any.
   */
  substituteFor(chosen: TopicPartition, source: string, target: string): TopicPartition {
    const origin = this.current.get(chosen)?.source ?? source;
    const reverse = this.byTopic.get(chosen.topic)?.get(keyOf({ source: target, target: origin }));
    if (reverse === undefined) return chosen;
    return firstInHashOrder(reverse.partitions, reverse.tableSize) ?? chosen;
  }

  note(partition: TopicPartition, source: string, target: string): void {
    const before = this.current.get(partition);
    if (before !== undefined) this.forget(partition, before);
    const origin = before?.source ?? source;
    if (origin === target) return;
    const pair = { source: origin, target };
    this.current.set(partition, pair);
    const moved = this.movedBetween(partition.topic, pair);
    moved.partitions.add(partition);
    moved.tableSize = Math.max(moved.tableSize, tableSizeFor(moved.partitions.size));
  }

  private forget(partition: TopicPartition, pair: Pair): void {
    this.current.delete(partition);
    const { partitions } = this.movedBetween(partition.topic, pair);
    partitions.delete(partition);
    if (partitions.size === 0) this.byTopic.get(partition.topic)!.delete(keyOf(pair));
  }

  private movedBetween(topic: string, pair: Pair): Moved {
    let pairs = this.byTopic.get(topic);
    if (pairs === undefined) this.byTopic.set(topic, (pairs = new Map<string, Moved>()));
    const key = keyOf(pair);
    let moved = pairs.get(key);
    if (moved === undefined) {
      pairs.set(key, (moved = { partitions: new Set(), tableSize: tableSizeFor(0) }));
    }
    return moved;
  }
}

function keyOf({ source, target }: Pair): string {
  return `${source.length}:${source}${target}`;
}
