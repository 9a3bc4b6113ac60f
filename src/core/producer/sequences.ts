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
  readonly disorder: Disorder;
}

/**
 * What stands between the numbers given out and those that the broker expects. It is put right when
 * nothing of the partition is on the way any more, because only then is it known what was written.
 * - `'gap'`: records that were numbered were refused, so what follows has to move up.
 * - `'unresolved'`: a batch was given up whose outcome is unknown. Whether what follows fits shows
 *   when it is sent.
 * - `'restart'`: only a new epoch helps.
 */
export type Disorder = 'none' | 'gap' | 'unresolved' | 'restart';

/** A numbered batch that is still to be acknowledged. */
export interface NumberedBatch {
  readonly firstSequence: number;
  readonly recordCount: number;
  /** An earlier attempt may have been written after all. */
  readonly mayBeWritten: boolean;
}

/** How to put the numbering of a partition right. */
export type Repair =
  | {
      readonly type: 'renumber';
      readonly firsts: readonly number[];
      readonly state: PartitionSequences;
    }
  /** Number everything anew, under a higher epoch. */
  | { readonly type: 'restart' };

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
  return { identity, next: 0, lastAcked: -1, disorder: 'none' };
}

/** Hands out the numbers of a batch; the batch's first is `next` of the state before. */
export function takeSequences(state: PartitionSequences, count: number): PartitionSequences {
  return { ...state, next: addSequence(state.next, count) };
}

/** Notes an acknowledged batch. One that was overtaken by a later acknowledgement changes nothing. */
export function ackSequences(
  state: PartitionSequences,
  firstSequence: number,
  count: number,
): PartitionSequences {
  const last = addSequence(firstSequence, count - 1);
  const isAdvance = state.lastAcked < 0 || isBefore(state.lastAcked, last);
  return isAdvance ? { ...state, lastAcked: last } : state;
}

/** Notes a disorder. Two different ones can't be told apart any more. */
export function disturb(
  state: PartitionSequences,
  disorder: Exclude<Disorder, 'none'>,
): PartitionSequences {
  const isNew = state.disorder === 'none' || state.disorder === disorder;
  return { ...state, disorder: isNew ? disorder : 'restart' };
}

/**
 * Decides how to put the numbering right once nothing is on the way.
 *
 * @param pending every numbered batch that waits to be sent again, in order.
 */
export function repair(state: PartitionSequences, pending: readonly NumberedBatch[]): Repair {
  switch (state.disorder) {
    case 'none':
      return { type: 'renumber', firsts: pending.map(({ firstSequence }) => firstSequence), state };
    case 'gap':
      return closeGap(state, pending);
    case 'unresolved':
      if (pending.length === 0) {
        return isSettled(state)
          ? { type: 'renumber', firsts: [], state: { ...state, disorder: 'none' } }
          : { type: 'restart' };
      }
      return { type: 'renumber', firsts: pending.map(({ firstSequence }) => firstSequence), state };
    case 'restart':
      return { type: 'restart' };
  }
}

/**
 * Lets batches move up to what the broker expects next, but for those that it may have already, and those
 * that it has what follows of: they would come behind it.
 */
function closeGap(state: PartitionSequences, pending: readonly NumberedBatch[]): Repair {
  let next = expectedSequence(state);
  const firsts = pending.map(({ firstSequence, recordCount, mayBeWritten }) => {
    if (mayBeWritten && isBefore(firstSequence, next)) return firstSequence;
    if (isOvertaken(state, firstSequence)) return firstSequence;
    const first = next;
    next = addSequence(next, recordCount);
    return first;
  });
  return { type: 'renumber', firsts, state: { ...state, next, disorder: 'none' } };
}

function expectedSequence({ lastAcked }: PartitionSequences): number {
  return lastAcked < 0 ? 0 : addSequence(lastAcked, 1);
}

/** Whether a number was given out before another one, the wrap-around considered. */
function isBefore(a: number, b: number): boolean {
  return a !== b && subtractSequence(b, a) <= MAX_SEQUENCE / 2;
}

/** Whether a batch is the one that the broker expects after what it has acknowledged. */
export function isNextSequence(state: PartitionSequences, firstSequence: number): boolean {
  return firstSequence === expectedSequence(state);
}

/** Whether a batch comes before one that was acknowledged. */
export function isOvertaken({ lastAcked }: PartitionSequences, firstSequence: number): boolean {
  return lastAcked >= 0 && isBefore(firstSequence, lastAcked);
}

/** Whether everything that was numbered has been acknowledged. */
export function isSettled(state: PartitionSequences): boolean {
  return isNextSequence(state, state.next);
}
