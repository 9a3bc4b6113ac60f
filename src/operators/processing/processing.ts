import { Observable, Subscriber } from 'rxjs';
import { backoffMs } from '../../core/util/backoff.js';
import type { Cancel } from '../../core/util/clock.js';
import {
  tellRetried,
  tellSkipped,
  type OnProcessError,
  type ProcessFailure,
  type RetryOptions,
} from './failure-policy.js';
import { HeldLanes } from './held-lanes.js';
import { Lanes, type Lane, type LaneOrder } from './lanes.js';
import { Pipelines } from '../passing/pipelines.js';
import { asResult, type Work, type WorkResult } from './work.js';

/** What work may look at besides the record. */
export interface ProcessContext {
  /** Aborts when the work has become pointless: the partition belongs to another by now. */
  readonly signal: AbortSignal;
  /** 1 when the record is worked on for the first time, then counting: over retries and deliveries. */
  readonly attempt: number;
}

/** What an operator does with each record, and what follows from how it went. */
export interface Treatment<T, R, O> {
  /** Begins: what is to be waited for. */
  start(work: T, context: ProcessContext): WorkResult<R>;
  /** Passes on what came out of it. */
  emit(work: T, value: R, subscriber: Subscriber<O>): void;
  done(work: T): void;
  /** It was done when nobody listened any more. */
  doneUnheard(work: T): void;
  /** It comes to nothing: the record goes back. */
  abandon(work: T): void;
  /** As before, because it failed when nobody could be told. */
  failUnheard(work: T, error: unknown): void;
}

export interface ProcessingOptions<T, R> {
  readonly concurrency: number;
  readonly order: LaneOrder;
  readonly retry: Required<RetryOptions>;
  readonly onError: OnProcessError<T, R>;
}

/**
 * Work on records in lanes, during one subscription. Hand-written, because order by lane, giving back
 * what was not started, and acks that outlive the subscription are more than stock operators can
 * express.
 */
export class Processing<T extends Work, R, O> {
  isStopped = false;
  private isUpstreamDone = false;
  private isStarting = false;
  private readonly lanes: Lanes<T>;
  private readonly held: HeldLanes<T>;
  private readonly pipelines: Pipelines;
  /** Observables that are under way. */
  private readonly tasks = new Set<ObservedTask<T, R, O>>();
  private readonly retries = new Map<Lane<T>, Cancel>();
  constructor(
    private readonly treatment: Treatment<T, R, O>,
    private readonly options: ProcessingOptions<T, R>,
    private readonly subscriber: Subscriber<O>,
  ) {
    this.lanes = new Lanes(options.order, options.concurrency);
    this.held = new HeldLanes(this.lanes, (lane, work) => this.giveUp(lane, work));
    const returnDraining = () => this.returnDraining();
    this.pipelines = new Pipelines({
      acksByItself: true,
      onDraining: returnDraining,
      onLost: returnDraining,
    });
  }

  next(work: T): void {
    work.takeOver();
    this.pipelines.note(work.pipeline);
    this.lanes.push(work);
    this.goOn();
  }

  complete(): void {
    this.isUpstreamDone = true;
    this.checkEnd();
  }

  /** Unsubscribed: what was not started goes back, promises go on. */
  stop(): void {
    this.isStopped = true;
    this.pipelines.stop();
    for (const work of this.lanes.takeWaiting()) this.treatment.abandon(work);
    for (const cancel of this.retries.values()) cancel();
    this.held.stop();
    for (const task of [...this.tasks]) task.cancel();
  }

  private startAll(): void {
    // Work that is done at once would recurse as deep as there are records waiting.
    if (this.isStarting) return;
    this.isStarting = true;
    for (let lane = this.lanes.start(); lane !== undefined; lane = this.lanes.start()) {
      const work = lane.current!;
      // Its partition was taken away, or begun anew elsewhere: nothing done for it would count.
      if (work.isFenced) this.lanes.finish(lane);
      else if (work.isDraining && work.signal.aborted) this.tooLate(lane, work);
      else this.begin(lane, work);
    }
    this.isStarting = false;
  }

  /** The time to finish what lay before work that was begun is up. */
  private tooLate(lane: Lane<T>, work: T): void {
    this.treatment.abandon(work);
    this.lanes.finish(lane);
  }

  private begin(lane: Lane<T>, work: T): void {
    let result: PromiseLike<R> | Observable<R> | undefined;
    try {
      result = asResult(this.treatment.start(work, new WorkContext(work, lane.failures)));
    } catch (error) {
      this.failed(lane, error);
      return;
    }
    this.follow(lane, result);
  }

  private follow(lane: Lane<T>, result: PromiseLike<R> | Observable<R> | undefined): void {
    if (result === undefined) this.done(lane);
    else if (!(result instanceof Observable)) this.await(lane, result);
    // The stream may have ended within the callback.
    else if (this.isStopped) this.treatment.abandon(lane.current!);
    else this.observe(lane, result);
  }

  /** A promise can't be cancelled: its outcome counts also after the stream has ended. */
  private await(lane: Lane<T>, result: PromiseLike<R>): void {
    const work = lane.current!;
    const fulfilled = (value: R) => {
      if (this.isStopped) {
        this.treatment.doneUnheard(work);
        return;
      }
      this.treatment.emit(work, value, this.subscriber);
      this.done(lane);
    };
    const rejected = (error: unknown) => this.failed(lane, error);
    try {
      result.then(fulfilled, rejected);
    } catch (error) {
      // One that is no Promise may throw, as a builder of queries that is incomplete.
      rejected(error);
    }
  }

  private observe(lane: Lane<T>, result: Observable<R>): void {
    const task = new ObservedTask(this, lane, lane.current!);
    task.follow(result);
    // Most end at once.
    if (task.isOver) return;
    if (this.isStopped) task.cancel();
    else this.tasks.add(task);
  }

  /** A value of what is observed. */
  emit(work: T, value: R): void {
    if (!this.isStopped) this.treatment.emit(work, value, this.subscriber);
  }

  /** What is observed has come to an end. */
  ended(task: ObservedTask<T, R, O>, lane: Lane<T>): void {
    if (this.tasks.size > 0) this.tasks.delete(task);
    this.done(lane);
  }

  errored(task: ObservedTask<T, R, O>, lane: Lane<T>, error: unknown): void {
    if (this.tasks.size > 0) this.tasks.delete(task);
    this.failed(lane, error);
  }

  abandon(work: T): void {
    this.treatment.abandon(work);
  }

  private done(lane: Lane<T>): void {
    const work = lane.current!;
    this.treatment.done(work);
    this.conclude(lane, work);
  }

  /** The current record of a lane is settled, in one way or another. */
  private conclude(lane: Lane<T>, work: T): void {
    if (this.isStopped) return;
    if (work.isToComeAgain) {
      this.held.hold(lane, work);
    } else {
      if (work.isNacked) this.giveBackAfter(work, lane);
      this.lanes.finish(lane);
    }
    this.goOn();
  }

  /** What a lane is closed for does not come again here. */
  private giveUp(lane: Lane<T>, work: T): void {
    this.giveBackAfter(work, lane);
    this.lanes.release(lane);
    this.goOn();
  }

  /** Whoever gets a failed record next gets what comes after it in its lane as well: here it would be twice. */
  private giveBackAfter({ isDraining }: T, lane: Lane<T>): void {
    if (!isDraining) return;
    for (const work of this.lanes.takeWaitingIn(lane)) work.giveBack();
  }

  private failed(lane: Lane<T>, error: unknown): void {
    const work = lane.current!;
    const { retry, onError } = this.options;
    if (this.isStopped) {
      this.treatment.failUnheard(work, error);
    } else if (work.isFenced || (work.isDraining && work.signal.aborted)) {
      // It was told to stop, and did.
      this.treatment.abandon(work);
      this.conclude(lane, work);
    } else if (lane.isRecovering || lane.failures >= retry.count) {
      this.failedForGood(lane, work, error, lane.isRecovering ? 'fail' : onError);
    } else if (work.isDraining) {
      // The next owner has it tried again.
      this.treatment.failUnheard(work, error);
      this.giveBackAfter(work, lane);
      this.conclude(lane, work);
    } else {
      this.retryLater(lane, work, error);
    }
  }

  private failedForGood(
    lane: Lane<T>,
    work: T,
    error: unknown,
    onError: OnProcessError<T, R>,
  ): void {
    switch (onError) {
      case 'fail':
        this.treatment.abandon(work);
        this.subscriber.error(error);
        return;
      case 'skip':
        tellSkipped(work, error);
        work.ack();
        this.conclude(lane, work);
        return;
      case 'nack':
        work.nack(error);
        this.conclude(lane, work);
        return;
      default: {
        lane.isRecovering = true;
        this.recover(lane, work, error, onError);
      }
    }
  }

  private recover(
    lane: Lane<T>,
    work: T,
    cause: unknown,
    onError: (failure: ProcessFailure<T>) => WorkResult<R>,
  ): void {
    const attempt = work.attempt + lane.failures;
    let result: PromiseLike<R> | Observable<R> | undefined;
    try {
      result = asResult(onError({ record: work, error: cause, attempt }));
    } catch (error) {
      this.failed(lane, error);
      return;
    }
    this.follow(lane, result);
  }

  private retryLater(lane: Lane<T>, work: T, error: unknown): void {
    const { retry } = this.options;
    const { clock } = work.pipeline.host;
    const delayMs = backoffMs(lane.failures, retry.backoffMs, retry.backoffMaxMs, clock.random());
    lane.failures++;
    this.lanes.suspend(lane);
    const again = () => {
      this.retries.delete(lane);
      this.lanes.resume(lane);
      this.goOn();
    };
    this.retries.set(lane, clock.schedule(delayMs, again));
    // Last: whoever hears of it may end the stream.
    tellRetried(work, work.attempt + lane.failures, delayMs, error);
    this.goOn();
  }

  private returnDraining(): void {
    const isDraining = (work: T) => work.isDraining;
    for (const work of this.lanes.takeUnreached(isDraining)) this.treatment.abandon(work);
    for (const [lane, cancel] of this.retries) {
      if (this.lanes.isSuspended(lane)) continue;
      cancel();
      this.retries.delete(lane);
    }
    this.held.giveUpDraining();
    this.goOn();
  }

  private goOn(): void {
    if (this.isStopped || this.isStarting) return;
    this.startAll();
    this.checkEnd();
  }

  private checkEnd(): void {
    if (this.isUpstreamDone && this.lanes.isEmpty) this.subscriber.complete();
  }
}

/**
 * An Observable that is the work on a record. The Subscriber is made here: so it can be closed while
 * the Observable emits as it is subscribed to, and a record costs two objects and no closure.
 */
class ObservedTask<T extends Work, R, O> {
  isOver = false;
  // The only way to a subscription before subscribe() has returned.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  private readonly inner = new Subscriber<R>(this);

  constructor(
    private readonly processing: Processing<T, R, O>,
    private readonly lane: Lane<T>,
    private readonly work: T,
  ) {}

  follow(result: Observable<R>): void {
    result.subscribe(this.inner);
  }

  next(value: R): void {
    const { processing } = this;
    processing.emit(this.work, value);
    // By whoever got the value: this is not among the tasks yet while it is being subscribed to.
    if (processing.isStopped) this.cancel();
  }

  error(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.processing.errored(this, this.lane, error);
  }

  complete(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.processing.ended(this, this.lane);
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.inner.unsubscribe();
    this.processing.abandon(this.work);
  }
}

/** The signal is made when it is asked for: most work doesn't look at it. */
class WorkContext implements ProcessContext {
  constructor(
    private readonly work: Work,
    private readonly failures: number,
  ) {}

  get signal(): AbortSignal {
    return this.work.signal;
  }

  get attempt(): number {
    return this.work.attempt + this.failures;
  }
}
