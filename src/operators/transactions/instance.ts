import type { TransactionMember } from '../../core/consumer/index.js';
import { ConfigError } from '../../core/util/errors.js';

/** Why the member that records come from is not the one that the transactional id is named after. */
export function complaintAboutInstance(
  groupInstanceId: string | undefined,
  member: TransactionMember | undefined,
): ConfigError | undefined {
  if (groupInstanceId === undefined || member?.groupInstanceId === undefined) return undefined;
  if (member.groupInstanceId === groupInstanceId) return undefined;
  const found = member.groupInstanceId ?? 'none';
  return new ConfigError(
    `transactional: option groupInstanceId is ${groupInstanceId}, but that of the source is ${found}: give ` +
      'both the same, a name that no other running instance has',
  );
}
