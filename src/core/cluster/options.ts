import type { Address, Transport } from '../network/index.js';
import type { Clock } from '../util/clock.js';
import type { ClusterEvent } from './events.js';

/** Everything that a {@link Cluster} needs, checked and complete. */
export interface ClusterOptions {
  readonly bootstrapServers: readonly Address[];
  readonly clientId: string;
  readonly requestTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
  readonly metadataMaxIdleMs: number;
  readonly reconnectBackoffMs: number;
  readonly reconnectBackoffMaxMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly socketConnectionSetupTimeoutMs: number;
  readonly socketConnectionSetupTimeoutMaxMs: number;
  readonly connectionsMaxIdleMs: number;
  readonly metadataRecoveryStrategy: 'rebootstrap' | 'none';
  readonly metadataRecoveryRebootstrapTriggerMs: number;
  readonly allowAutoCreateTopics: boolean;
  readonly maxResponseBytes: number;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly onEvent: (event: ClusterEvent) => void;
}
