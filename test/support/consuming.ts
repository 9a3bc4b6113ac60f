import type { Observable, Subscription } from 'rxjs';
import { encodeRecords, type RecordContent } from '../../src/core/records/index.js';
import type { EmbeddedKafka } from '../../src/testing/index.js';

/** Puts records with these values into a partition's log; `key=value` gives a key as well. */
export function write(
  cluster: EmbeddedKafka,
  topic: string,
  partition: number,
  ...values: readonly string[]
): void {
  const contents = values.map((text): RecordContent => {
    const [value = '', key] = text.split('=').reverse();
    return key === undefined ? { value } : { key, value };
  });
  cluster.append(topic, partition, encodeRecords(contents));
}

/** Values `0` to `count - 1`. */
export function numbers(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => String(first + i));
}

/** What a stream has told so far. */
export class Seen<T> {
  readonly values: T[] = [];
  error: unknown;
  isComplete = false;
  readonly subscription: Subscription;

  constructor(source: Observable<T>) {
    this.subscription = source.subscribe({
      next: (value) => this.values.push(value),
      error: (error: unknown) => (this.error = error),
      complete: () => (this.isComplete = true),
    });
  }

  get isOver(): boolean {
    return this.isComplete || this.error !== undefined;
  }
}

/** Open connections to all brokers. */
export function connectionsTo(cluster: EmbeddedKafka): number {
  return cluster.inspect().brokers.reduce((sum, { connections }) => sum + connections, 0);
}

/** How many members a group has. */
export function membersOf(cluster: EmbeddedKafka, groupId: string): number {
  return cluster.inspect().groups[groupId]?.members.length ?? 0;
}

/** What a group has committed of a partition. */
export function committed(
  cluster: EmbeddedKafka,
  groupId: string,
  topic: string,
  partition = 0,
): number | undefined {
  return cluster.groupOffsets(groupId)[topic]?.[partition]?.offset;
}
