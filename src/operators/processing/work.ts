import { from, type Observable, type ObservableInput } from 'rxjs';
import type { ConsumerRecord, Pipeline } from '../../core/consumer/index.js';
import type { LaneRecord } from './lanes.js';

/** What the operators of this library work on: a record, or a batch of them. */
export interface Work extends LaneRecord {
  /** Says that the work is done. Acking twice is harmless. */
  ack(): void;
  /** Says that the work failed: it is delivered again. */
  nack(reason: unknown): void;
  /** Aborts when the work has become pointless. */
  readonly signal: AbortSignal;
  /** @internal */
  readonly pipeline: Pipeline;
  /** @internal */
  readonly isFenced: boolean;
  /** @internal */
  readonly isDraining: boolean;
  /** @internal */
  readonly isLeaving: boolean;
  /** @internal */
  done(): void;
  /** @internal */
  doneUnheard(): void;
  /** @internal */
  letGo(): void;
  /** @internal */
  ackUnlessTaken(): void;
  /** @internal */
  readonly isNacked: boolean;
  /** @internal */
  readonly isToComeAgain: boolean;
  /** @internal */
  onGivenUp(callback: () => void): () => void;
  /** @internal */
  failUnheard(reason: unknown): void;
  /** @internal */
  takeOver(): void;
  /** @internal */
  giveBack(): void;
  /** @internal */
  everyRecord(): Iterable<ConsumerRecord<unknown, unknown>>;
}

/** What a function that returns nothing returns, however its type is written. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type
export type Nothing = undefined | void;

/** What a function may return that is asked to do something: what is to be waited for, or nothing. */
export type WorkResult<R> = ObservableInput<R> | Nothing;

/** @throws TypeError when it is nothing that can be waited for. */
export function asResult<R>(given: WorkResult<R>): PromiseLike<R> | Observable<R> | undefined {
  if (given === undefined) return undefined;
  return isPromise(given) ? given : from(given);
}

function isPromise<R>(result: object): result is PromiseLike<R> {
  return typeof (result as Partial<PromiseLike<R>> | null)?.then === 'function';
}
