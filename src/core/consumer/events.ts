import type { GroupEvent, TopicPartition } from '../group/index.js';
import type { KafkaError } from '../util/errors.js';

/** A place in a partition. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: number;
}

/** What happens to a consumer, each told where it is true. */
export type ConsumerEvent =
  | GroupEvent
  /** Partitions were given to this consumer; delivery begins where `offset` says, once known. */
  | { readonly type: 'assigned'; readonly partitions: readonly TopicPartition[] }
  /** Nothing more of these is delivered; work in hand is awaited. */
  | { readonly type: 'draining'; readonly partitions: readonly TopicPartition[] }
  /** These belong to others now; what was acked is committed. */
  | {
      readonly type: 'revoked';
      readonly partitions: readonly TopicPartition[];
      /** Records that were in hand and not acked in time: the next owner gets them again. */
      readonly recordsAbandoned: number;
    }
  /** These were taken away without warning: nothing of them could be committed. */
  | {
      readonly type: 'lost';
      readonly partitions: readonly TopicPartition[];
      readonly recordsAbandoned: number;
    }
  /** Where delivery of a partition begins, and why. */
  | (PartitionOffset & {
      readonly type: 'position-reset';
      readonly reason: 'committed' | 'no-committed-offset' | 'out-of-range' | 'seek' | 'recreated';
    })
  /** The log was cut off behind what was consumed: records that were read are gone (KIP-320). */
  | (PartitionOffset & { readonly type: 'truncated'; readonly consumedOffset: number })
  /** Everything that was there has been delivered; once for each assignment. */
  | (PartitionOffset & { readonly type: 'caught-up' })
  /** No partition can deliver more until an operator lets go of what it holds back. */
  | { readonly type: 'starved'; readonly reason: 'window' | 'bytes' | 'drain' }
  /** The window is full and its oldest record is not acked for too long. */
  | (PartitionOffset & {
      readonly type: 'stalled';
      /** Since that record was delivered. */
      readonly ageMs: number;
      readonly hint: string;
    })
  | { readonly type: 'committed'; readonly offsets: readonly PartitionOffset[] }
  /** A commit failed; what it was about is committed with the next one. */
  | {
      readonly type: 'commit-failed';
      readonly offsets: readonly PartitionOffset[];
      readonly error: KafkaError;
    }
  /** Records that can't be read, or that work failed on, were passed over, as the policy says. */
  | (PartitionOffset & {
      readonly type: 'skipped';
      /** Where delivery goes on. */
      readonly nextOffset: number;
      readonly error: KafkaError;
    })
  /** A record was nacked and will be delivered again. */
  | (PartitionOffset & {
      readonly type: 'redelivered';
      readonly attempt: number;
      readonly delayMs: number;
      readonly reason: unknown;
    })
  /** Work on a record failed and is repeated where it is, in its order. */
  | (PartitionOffset & {
      readonly type: 'record-retried';
      /** The one to come. */
      readonly attempt: number;
      readonly delayMs: number;
      readonly reason: unknown;
    })
  /**
   * Work on a record failed when the stream could not be told: it had ended, or the partition was
   * being given up. The record is not committed: whoever has the partition next gets it again.
   */
  | (PartitionOffset & {
      readonly type: 'record-failed';
      readonly attempt: number;
      readonly reason: unknown;
    })
  /** A record whose work has failed for good is written to another topic, and acked. */
  | (PartitionOffset & {
      readonly type: 'dead-lettered';
      /** Where it was written. */
      readonly letter: PartitionOffset;
      /** How often work on it was tried. */
      readonly attempt: number;
      readonly reason: unknown;
    })
  /** A fetch failed and is repeated. */
  | (TopicPartition & { readonly type: 'fetch-failed'; readonly reason: string })
  | (DrainReport & { readonly type: 'drained' })
  | { readonly type: 'warning'; readonly code: string; readonly message: string };

/** What was done when a consumer was drained. */
export interface DrainReport {
  /** Delivered records that were acked, since the subscription began. */
  readonly recordsFinished: number;
  /** Delivered records that were not acked in time: the next owner gets them again. */
  readonly recordsAbandoned: number;
  /** What is committed now, of the partitions that were held. */
  readonly offsetsCommitted: readonly PartitionOffset[];
}
