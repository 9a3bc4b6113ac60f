import type { BrokerCapabilities } from '../network/index.js';
import { findVersion } from '../network/index.js';
import { apis } from '../protocol/index.js';
import { ConfigError, UnsupportedVersionError } from '../util/errors.js';
import type { GroupOptions } from './options.js';

/** The feature that a cluster finalizes when its coordinators speak the new protocol (KIP-848). */
const FEATURE = 'group.version';
/** JoinGroup and its companions know static members from here on (KIP-345). */
const FIRST_WITH_INSTANCE_ID = 5;

/** The protocol to be a member by, in the versions that the coordinator has. */
export type ProtocolChoice =
  | { readonly protocol: 'consumer'; readonly version: number; readonly reason: string }
  | { readonly protocol: 'classic'; readonly version: number; readonly reason: string };

/**
 * Chooses the protocol of a group, which is known only when the coordinator is: `auto` takes the new
 * one where the cluster has it finalized and no assignor of the client's is asked for.
 *
 * @throws ConfigError, UnsupportedVersionError naming the options that don't fit.
 */
export function chooseProtocol(
  options: GroupOptions,
  capabilities: BrokerCapabilities,
): ProtocolChoice {
  checkContradictions(options);
  const version = consumerVersion(capabilities);
  switch (options.groupProtocol) {
    case 'consumer':
      if (version === undefined) throw lacksConsumer(options);
      return { protocol: 'consumer', version, reason: 'groupProtocol is consumer' };
    case 'classic':
      return classic(options, capabilities, 'groupProtocol is classic');
    case 'auto':
      return automatic(options, capabilities, version);
  }
}

/** What to fall back to when the new protocol turns out to be switched off for the group. */
export function classic(
  options: GroupOptions,
  capabilities: BrokerCapabilities,
  reason: string,
): ProtocolChoice {
  const of = `Cannot be a member of group '${options.groupId}'`;
  if (options.groupRemoteAssignor !== undefined) {
    throw new ConfigError(
      `${of}: option groupRemoteAssignor is '${options.groupRemoteAssignor}', but ${reason}, and ` +
        `classic groups are shared out by their members; set partitionAssignmentStrategy instead`,
    );
  }
  const version = findVersion(apis.JoinGroup, capabilities);
  if (version === undefined) {
    throw new UnsupportedVersionError(
      `${of}: the broker has no groups (they came with 0.9); assign partitions by hand`,
      { context: { api: 'JoinGroup' } },
    );
  }
  if (options.groupInstanceId !== undefined && version < FIRST_WITH_INSTANCE_ID) {
    throw new UnsupportedVersionError(
      `${of}: option groupInstanceId needs brokers of 2.3 or later; leave it out`,
      { context: { api: `JoinGroup@${version}` } },
    );
  }
  return { protocol: 'classic', version, reason };
}

function automatic(
  options: GroupOptions,
  capabilities: BrokerCapabilities,
  version: number | undefined,
): ProtocolChoice {
  if (options.partitionAssignmentStrategy !== undefined) {
    return classic(options, capabilities, 'partitionAssignmentStrategy is set');
  }
  const level = capabilities.features.get(FEATURE) ?? 0;
  if (version === undefined || level < 1) {
    return classic(options, capabilities, `the cluster has not finalized ${FEATURE} 1`);
  }
  return { protocol: 'consumer', version, reason: `the cluster has finalized ${FEATURE} ${level}` };
}

function consumerVersion(capabilities: BrokerCapabilities): number | undefined {
  return findVersion(apis.ConsumerGroupHeartbeat, capabilities);
}

function checkContradictions(options: GroupOptions): void {
  const { groupId, groupProtocol, groupRemoteAssignor, partitionAssignmentStrategy } = options;
  const of = `Cannot be a member of group '${groupId}'`;
  if (partitionAssignmentStrategy === undefined) return;
  if (groupProtocol === 'consumer') {
    throw new ConfigError(
      `${of}: option partitionAssignmentStrategy is for classic groups, but groupProtocol is ` +
        `consumer; set groupRemoteAssignor instead`,
    );
  }
  if (groupRemoteAssignor !== undefined) {
    throw new ConfigError(
      `${of}: options partitionAssignmentStrategy and groupRemoteAssignor exclude each other: the ` +
        `one is for classic groups, the other for groups of the new protocol`,
    );
  }
}

function lacksConsumer({ groupId }: GroupOptions): UnsupportedVersionError {
  return new UnsupportedVersionError(
    `Cannot be a member of group '${groupId}': groupProtocol is consumer, but the broker lacks it ` +
      `(it came with 4.0); set groupProtocol to auto or classic`,
    { context: { api: 'ConsumerGroupHeartbeat' } },
  );
}
