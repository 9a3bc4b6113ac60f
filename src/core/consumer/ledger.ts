/** Sequence numbers wrap around here, so that they stay small integers for V8. */
const SEQUENCES = 2 ** 30;
const LAST_SEQUENCE = SEQUENCES - 1;

const OUTSTANDING = 0;
const ACKED = 1;
const NACKED = 2;
const JOINED = 3;

/** Where to go on after a restart, as it is committed. */
export interface CommitPosition {
  readonly offset: number;
  /** Epoch of the leader that wrote the record before it; -1 where unknown. */
  readonly leaderEpoch: number;
}

/** The record that keeps the watermark from moving. */
export interface OldestUnacked {
  readonly offset: number;
  /** When it was delivered, on the clock that {@link Ledger.deliver} was given. */
  readonly deliveredAt: number;
  /** Whether somebody has it; else it was nacked and waits to be delivered again. */
  readonly isInHand: boolean;
}

/**
 * What was delivered of one partition in one epoch, and what of it is acked. Every question about
 * demand is answered from here: may more be delivered, what may be committed, is all done, what is
 * the oldest record that isn't.
 *
 * Deliveries are numbered densely, whatever gaps their offsets have. The window is a span: from the
 * oldest unacked record to the newest delivered one. Rings of the window's size hold the state and
 * the offset of each, so nothing is allocated and no operation is slower than constant, amortised.
 */
export class Ledger {
  private readonly mask: number;
  private readonly states: Uint8Array;
  private readonly offsets: Float64Array;
  private readonly leaderEpochs: Int32Array;
  private readonly deliveryTimes: Float64Array;
  /** The oldest unacked delivery: the watermark. */
  private head: number;
  /** The number of the next delivery. */
  private tail: number;
  private span = 0;
  private outstanding = 0;
  private waiting = 0;
  private headEpoch: number;
  private fenced = false;
  /** The first delivery that is neither acked nor part of the transaction; may be behind the head. */
  private joinHead: number;
  /** Who waits for a commit that is under way; `undefined` while none is. */
  private undecided: (() => void)[] | undefined;
  /** Offset of the first that somebody else settled while it was part of the transaction. */
  takenFromTransaction: number | undefined;
  /** Acks that came after the fence. */
  staleAcks = 0;
  /** Deliveries that were acked in time. */
  ackedCount = 0;

  /**
   * @param window the most deliveries between the watermark and the newest.
   * @param start where the first delivery will come from.
   * @param firstSequence the number of the first delivery.
   */
  constructor(
    readonly window: number,
    private start: number,
    private startEpoch = -1,
    firstSequence = 0,
  ) {
    this.head = this.tail = this.joinHead = firstSequence;
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, window)));
    this.mask = size - 1;
    this.states = new Uint8Array(size);
    this.offsets = new Float64Array(size);
    this.leaderEpochs = new Int32Array(size);
    this.deliveryTimes = new Float64Array(size);
    this.headEpoch = startEpoch;
  }

  /** The offset after the last delivered record, or after what was passed without one. */
  get position(): number {
    return this.start;
  }

  /** Epoch of the leader that wrote the record before the position; -1 where unknown. */
  get positionEpoch(): number {
    return this.startEpoch;
  }

  /** How many more may be delivered now. */
  get free(): number {
    return this.window - this.span;
  }

  /** Deliveries that are not acked. */
  get unacked(): number {
    return this.outstanding;
  }

  /** Deliveries that somebody is at work on: neither acked nor given back. */
  get inHand(): number {
    return this.outstanding - this.waiting;
  }

  /** Deliveries that were nacked or given back, and are to come again. */
  get awaitingRedelivery(): number {
    return this.waiting;
  }

  get isFenced(): boolean {
    return this.fenced;
  }

  /** Changes whenever the watermark moves. */
  get watermark(): number {
    return this.head;
  }

  /** The oldest record that is not acked, or the position when all are: never anything beyond. */
  get commitPosition(): CommitPosition {
    const offset = this.span === 0 ? this.start : this.offsets[this.head & this.mask]!;
    return { offset, leaderEpoch: this.headEpoch };
  }

  get oldestUnacked(): OldestUnacked | undefined {
    if (this.span === 0) return undefined;
    const at = this.head & this.mask;
    return {
      offset: this.offsets[at]!,
      deliveredAt: this.deliveryTimes[at]!,
      isInHand: this.states[at] !== NACKED,
    };
  }

  /**
   * Notes a delivery and numbers it. Only when {@link Ledger.free} says that there is room.
   *
   * @param now any monotonic time; see {@link Ledger.oldestUnacked}.
   */
  deliver(offset: number, leaderEpoch: number, now: number): number {
    const sequence = this.tail;
    const at = sequence & this.mask;
    this.states[at] = OUTSTANDING;
    this.offsets[at] = offset;
    this.leaderEpochs[at] = leaderEpoch;
    this.deliveryTimes[at] = now;
    this.tail = (sequence + 1) & LAST_SEQUENCE;
    this.span++;
    this.outstanding++;
    this.start = offset + 1;
    this.startEpoch = leaderEpoch;
    return sequence;
  }

  /** Notes that nothing deliverable is left before an offset: markers, gaps, aborted records. */
  pass(offset: number, leaderEpoch: number): void {
    if (offset <= this.start) return;
    this.start = offset;
    this.startEpoch = leaderEpoch;
    if (this.span === 0) this.headEpoch = leaderEpoch;
  }

  /** Notes an ack; false when it changes nothing: acked before, or fenced. */
  ack(sequence: number): boolean {
    if (this.fenced) {
      this.staleAcks++;
      return false;
    }
    if (!this.isOpen(sequence)) return false;
    const at = sequence & this.mask;
    const before = this.states[at];
    if (before === NACKED) this.waiting--;
    else if (before === JOINED) this.noteTaken(at);
    this.states[at] = ACKED;
    this.outstanding--;
    this.ackedCount++;
    if (sequence === this.head) this.advance();
    return true;
  }

  /** Notes that a record is to be delivered again; false when it was acked, or fenced. */
  nack(sequence: number): boolean {
    if (this.fenced || !this.isOpen(sequence)) return false;
    const at = sequence & this.mask;
    const before = this.states[at];
    if (before === NACKED) return false;
    if (before === JOINED) this.noteTaken(at);
    this.states[at] = NACKED;
    this.waiting++;
    return true;
  }

  /** Takes a record that was nacked for another delivery; false when it is none any more. */
  redeliver(sequence: number, now: number): boolean {
    if (this.fenced || !this.isOpen(sequence)) return false;
    const at = sequence & this.mask;
    if (this.states[at] !== NACKED) return false;
    this.states[at] = OUTSTANDING;
    this.waiting--;
    this.deliveryTimes[at] = now;
    return true;
  }

  /**
   * Takes a record into the transaction, if all before it are acked or part of it; false while one
   * is not, for then the offset that the transaction stores would skip that.
   */
  join(offset: number): boolean {
    if (this.fenced) return false;
    const next = this.nextToJoin();
    const at = next & this.mask;
    if (next === this.tail || this.offsets[at] !== offset || this.states[at] === NACKED)
      return false;
    this.states[at] = JOINED;
    this.joinHead = (next + 1) & LAST_SEQUENCE;
    return true;
  }

  /** Whether a record that is not part of the transaction can't become so: somebody else has settled it. */
  isPassed(offset: number): boolean {
    if (this.fenced) return false;
    const next = this.nextToJoin();
    if (next === this.tail) return true;
    const at = next & this.mask;
    const nextOffset = this.offsets[at]!;
    return offset < nextOffset || (offset === nextOffset && this.states[at] === NACKED);
  }

  /** Where to go on when all that is part of the transaction is done. */
  get joinedPosition(): CommitPosition {
    const next = this.nextToJoin();
    if (next === this.tail) return { offset: this.start, leaderEpoch: this.startEpoch };
    const offset = this.offsets[next & this.mask]!;
    if (next === this.head) return { offset, leaderEpoch: this.headEpoch };
    return { offset, leaderEpoch: this.leaderEpochs[(next - 1) & this.mask]! };
  }

  /** The transaction was aborted: what was part of it may become part of another. */
  leaveTransaction(): void {
    const end = this.nextToJoin();
    for (let each = this.head; each !== end; each = (each + 1) & LAST_SEQUENCE) {
      const at = each & this.mask;
      if (this.states[at] === JOINED) this.states[at] = OUTSTANDING;
    }
    this.joinHead = this.head;
  }

  /** The transaction is being committed: whether what is part of it is done, nobody knows. */
  beginCommit(): void {
    this.undecided = [];
  }

  /** It is known how the commit has ended, and what that means for each record was noted. */
  endCommit(): void {
    const waiting = this.undecided ?? [];
    this.undecided = undefined;
    for (const goOn of waiting) goOn();
  }

  /** Calls back when the commit that is under way has ended; false, and never, where none is. */
  awaitCommit(goOn: () => void): boolean {
    this.undecided?.push(goOn);
    return this.undecided !== undefined;
  }

  /** Ends the epoch: acks from now on are counted and change nothing. */
  fence(): void {
    this.fenced = true;
  }

  /** The transaction itself settles what is part of it when it is over, or is being committed. */
  private noteTaken(at: number): void {
    if (this.undecided === undefined) this.takenFromTransaction ??= this.offsets[at];
  }

  private nextToJoin(): number {
    const { states, mask, tail } = this;
    const isBehind = ((this.joinHead - this.head) & LAST_SEQUENCE) > this.span;
    let next = isBehind ? this.head : this.joinHead;
    while (next !== tail && isSettledFor(states[next & mask]!)) next = (next + 1) & LAST_SEQUENCE;
    return (this.joinHead = next);
  }

  /** Within the window and not acked yet. */
  private isOpen(sequence: number): boolean {
    const distance = (sequence - this.head) & LAST_SEQUENCE;
    return distance < this.span && this.states[sequence & this.mask] !== ACKED;
  }

  private advance(): void {
    const { states, mask } = this;
    let { head, span } = this;
    let last = head;
    while (span > 0 && states[head & mask] === ACKED) {
      last = head;
      head = (head + 1) & LAST_SEQUENCE;
      span--;
    }
    this.headEpoch = span === 0 ? this.startEpoch : this.leaderEpochs[last & mask]!;
    this.head = head;
    this.span = span;
  }
}

/** Whether the transaction may go past a delivery. */
function isSettledFor(state: number): boolean {
  return state === ACKED || state === JOINED;
}
