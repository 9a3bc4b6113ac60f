/** The part of a broker that decides whether it can coordinate. */
interface Candidate {
  readonly id: number;
  readonly isRunning: boolean;
}

/** Kafka's default `offsets.topic.num.partitions`. */
const SLOTS = 50;

/**
 * Which broker coordinates what. A key belongs to a slot, as it belongs to a partition of
 * `__consumer_offsets` in Kafka; a slot stays with its broker until that stops.
 */
export class Coordinators {
  private readonly owners = new Map<number, number>();
  /** How often each slot has changed hands. */
  private readonly epochs = new Map<number, number>();

  constructor(private readonly brokers: readonly Candidate[]) {}

  /** The id of the broker that coordinates a group or a transactional id; `undefined` if none runs. */
  of(key: string): number | undefined {
    const slot = slotOf(key);
    const owner = this.owners.get(slot);
    if (owner !== undefined && this.isRunning(owner)) return owner;
    const next = this.nextFor(slot, owner);
    if (next !== undefined) this.give(slot, next);
    return next;
  }

  /** Raised with each change of the broker that coordinates a key. */
  epochOf(key: string): number {
    return this.epochs.get(slotOf(key)) ?? 0;
  }

  /** Makes another broker coordinate a key, and all that share its slot. */
  move(key: string, brokerId: number): void {
    this.give(slotOf(key), brokerId);
  }

  private give(slot: number, brokerId: number): void {
    const owner = this.owners.get(slot);
    if (owner !== undefined && owner !== brokerId) {
      this.epochs.set(slot, (this.epochs.get(slot) ?? 0) + 1);
    }
    this.owners.set(slot, brokerId);
  }

  /** The next running broker after the last owner, so that slots of one broker stay spread. */
  private nextFor(slot: number, owner: number | undefined): number | undefined {
    const { brokers } = this;
    const last = brokers.findIndex(({ id }) => id === owner);
    const first = last < 0 ? slot : last + 1;
    for (let i = 0; i < brokers.length; i++) {
      const { id, isRunning } = brokers[(first + i) % brokers.length]!;
      if (isRunning) return id;
    }
    return undefined;
  }

  private isRunning(brokerId: number): boolean {
    return this.brokers.some(({ id, isRunning }) => id === brokerId && isRunning);
  }
}

/** As Kafka spreads group ids: `Utils.abs(groupId.hashCode) % partitions`. */
export function slotOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash & 0x7fff_ffff) % SLOTS;
}
