import type { Clock } from '../util/clock.js';
import type { ProducerRecord, Submitter } from './record.js';

/**
 * What sinks need of a producer: a place to put records, and word of when there is room. A producer
 * in this thread has one, and so has the door to a producer in another.
 */
export interface SinkEngine {
  readonly clock: Clock;
  readonly options: { readonly bufferMemory: number };
  readonly hasRoom: boolean;
  /** Whether a source that can wait is to be read on: false while enough is at hand. */
  readonly wantsMore: boolean;
  readonly isClosed: boolean;
  /** Takes a record; false, with nothing taken, when there is no room. */
  submit(
    topic: string,
    record: Omit<ProducerRecord, 'topic'>,
    submitter: Submitter,
    token: unknown,
  ): boolean;
  /** Calls back once when there may be room. */
  whenRoom(callback: () => void): void;
  /**
   * Calls back once when the client is drained: a sink is to take nothing more then, and to end.
   *
   * @returns how to be left out.
   */
  onDrain(end: () => void): () => void;
  /** Resolves when everything that was submitted is settled. */
  flush(): Promise<void>;
  /** Makes room; returns how many of the submitter's records were given up for it. */
  dropOldest(submitter: Submitter, isDroppable: (token: unknown) => boolean): number;
  reportDropped(topic: string, partition: number, records: number): void;
}
