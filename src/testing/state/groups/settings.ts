/** Kafka's `group.consumer.migration.policy`. */
export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional';

/** How groups are run; complete. */
export interface GroupSettings {
  /** Kafka's `group.initial.rebalance.delay.ms`. */
  readonly initialRebalanceDelayMs: number;
  /** Kafka's `group.min.session.timeout.ms`, of classic groups. */
  readonly minSessionTimeoutMs: number;
  /** Kafka's `group.max.session.timeout.ms`, of classic groups. */
  readonly maxSessionTimeoutMs: number;
  /** Kafka's `group.max.size`, of groups of either protocol. */
  readonly maxSize: number;
  /** Kafka's `group.consumer.session.timeout.ms`. */
  readonly consumerSessionTimeoutMs: number;
  /** Kafka's `group.consumer.heartbeat.interval.ms`. */
  readonly consumerHeartbeatIntervalMs: number;
  /** Kafka's `group.consumer.assignment.interval.ms`. */
  readonly assignmentIntervalMs: number;
  readonly migrationPolicy: MigrationPolicy;
  /** Kafka's `offset.metadata.max.bytes`. */
  readonly offsetMetadataMaxBytes: number;
}
