import type { Cluster } from '../cluster/index.js';
import type { Clock } from '../util/clock.js';
import { GroupMember } from './group-member.js';
import type { GroupHandler, Member } from './member.js';
import type { GroupMetrics } from './metrics.js';
import type { GroupOptions, Subscription } from './options.js';

/** What a member needs. */
export interface MemberContext {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly options: GroupOptions;
  readonly subscription: Subscription;
  readonly handler: GroupHandler;
  readonly metrics: GroupMetrics;
}

/** A membership that begins with {@link Member.join}. Connects nothing until then. */
export function createMember(context: MemberContext): Member {
  return new GroupMember(context);
}
