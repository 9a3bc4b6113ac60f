import type { Assignor, BuiltInAssignor } from './assignors/assignor.js';

/** What a member of a group subscribes to. */
export type Subscription =
  | { readonly type: 'topics'; readonly topics: readonly string[] }
  /**
   * Every topic whose whole name matches, also those to come. The broker matches (RE2) where the
   * group is of the new protocol and the pattern is understood the same there; else this client
   * does.
   */
  | { readonly type: 'pattern'; readonly pattern: RegExp };

/** How a member behaves; checked and complete. Names and meanings are those of the Java client. */
export interface GroupOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | undefined;
  /** `auto`: `consumer` where the cluster has it and no client-side assignor is asked for. */
  readonly groupProtocol: 'auto' | 'classic' | 'consumer';
  /** The broker's assignor of a `consumer` group, as `uniform` or `range`; the broker's choice if `undefined`. */
  readonly groupRemoteAssignor: string | undefined;
  /** The assignors of a `classic` group, by preference; `undefined` range, then cooperative-sticky. */
  readonly partitionAssignmentStrategy: readonly (BuiltInAssignor | Assignor)[] | undefined;
  /** Used in `classic` groups; the broker decides in those of the new protocol. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** `max.poll.interval.ms`: how long a rebalance waits for this member. */
  readonly rebalanceTimeoutMs: number;
  /** Empty for none. */
  readonly clientRack: string;
  /** Patterns don't match internal topics. */
  readonly excludeInternalTopics: boolean;
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  /** How often a pattern is matched against the cluster's topics by this client. */
  readonly metadataMaxAgeMs: number;
}
