import { encodeControlBatch, encodeRecords } from '../../src/core/records/index.js';
import type { Simulation } from './simulation.js';

/**
 * Writes transactions into the log of one partition, batch by batch.
 *
 * @example
 * const log = new TransactionalLog(sim, 'orders', 0);
 * log.write(7, 3); // three records of producer 7
 * log.abort(7);
 */
export class TransactionalLog {
  private readonly sequences = new Map<number, number>();

  constructor(
    private readonly sim: Simulation,
    private readonly topic: string,
    private readonly partition: number,
  ) {}

  /** One batch of a producer's open transaction. Returns the offsets. */
  write(producerId: number, count: number): number[] {
    const baseSequence = this.sequences.get(producerId) ?? 0;
    this.sequences.set(producerId, baseSequence + count);
    const producer = { producerId, producerEpoch: 0, baseSequence };
    return this.append(count, { isTransactional: true, producer });
  }

  /** One batch outside of any transaction. Returns the offsets. */
  plain(count: number): number[] {
    return this.append(count, {});
  }

  /**
   * @param damage what befalls the marker.
   * @returns the offset of the marker.
   */
  abort(producerId: number, damage = whole): number {
    return this.end(producerId, 'abort', damage);
  }

  /**
   * @param damage what befalls the marker.
   * @returns the offset of the marker.
   */
  commit(producerId: number, damage = whole): number {
    return this.end(producerId, 'commit', damage);
  }

  private append(count: number, options: Parameters<typeof encodeRecords>[1]): number[] {
    const records = Array.from({ length: count }, (_, i) => ({ value: `${i}`, timestamp: 1000 }));
    const batch = encodeRecords(records, options);
    const first = this.sim.cluster.append(this.topic, this.partition, batch);
    return records.map((_, i) => first + i);
  }

  private end(
    producerId: number,
    kind: 'abort' | 'commit',
    damage: (batch: Buffer) => Buffer,
  ): number {
    const marker = { kind, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1000 };
    const batch = damage(encodeControlBatch(marker));
    return this.sim.cluster.append(this.topic, this.partition, batch);
  }
}

function whole(batch: Buffer): Buffer {
  return batch;
}
