/** The id and epoch under which a producer numbers its batches. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly epoch: number;
}

export function isSameIdentity(a: ProducerIdentity, b: ProducerIdentity): boolean {
  return a.producerId === b.producerId && a.epoch === b.epoch;
}

/** How far the numbering of one partition has come (KIP-98). */
export interface PartitionSequences {
  readonly identity: ProducerIdentity;
  /** For the next batch that has none yet. */
  readonly next: number;
  /** Of the last record that the broker has acknowledged; -1 before the first. */
  readonly lastAcked: number;
  readonly lastAckedOffset: number;
  /** A batch was given up whose outcome is unknown: `next` may be more than the broker expects. */
  readonly isUnresolved: boolean;
}

const MAX_SEQUENCE = 0x7fff_ffff;

/** Adds to a sequence number, which wraps around to 0 after 2^31 - 1. */
export function addSequence(sequence: number, count: number): number {
  const sum = sequence + count;
  return sum > MAX_SEQUENCE ? sum - MAX_SEQUENCE - 1 : sum;
}

/** Takes from a sequence number, wrapping the other way. */
export function subtractSequence(sequence: number, count: number): number {
  const difference = sequence - count;
  return difference < 0 ? difference + MAX_SEQUENCE + 1 : difference;
}

/** Numbering from 0 under an identity. */
export function startSequences(identity: ProducerIdentity): PartitionSequences {
  return { identity, next: 0, lastAcked: -1, lastAckedOffset: -1, isUnresolved: false };
}

/** Hands out the numbers of a batch; the batch's first is `next` of the state before. */
export function takeSequences(state: PartitionSequences, count: number): PartitionSequences {
  return { ...state, next: addSequence(state.next, count) };
}

/** Notes an acknowledged batch. */
export function ackSequences(
  state: PartitionSequences,
  firstSequence: number,
  count: number,
  lastOffset: number,
): PartitionSequences {
  return {
    ...state,
    lastAcked: addSequence(firstSequence, count - 1),
    lastAckedOffset: Math.max(state.lastAckedOffset, lastOffset),
  };
}

/** Whether a batch is the one that the broker expects after what it has acknowledged. */
export function isNextSequence(state: PartitionSequences, firstSequence: number): boolean {
  return firstSequence === (state.lastAcked < 0 ? 0 : addSequence(state.lastAcked, 1));
}

/** Whether everything that was numbered has been acknowledged. */
export function isSettled(state: PartitionSequences): boolean {
  return isNextSequence(state, state.next);
}
