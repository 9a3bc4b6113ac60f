import { message } from './api.js';
import { array, bytes, int32, string } from './schema.js';

/**
 * What a member of a classic group tells its leader: carried as `metadata` in JoinGroup, preceded by
 * its version as an int16 that the schema doesn't show.
 */
export const ConsumerProtocolSubscription = message('ConsumerProtocolSubscription', '0-3', 'none', {
  topics: array('0+', 'string'),
  userData: bytes('0+', { nullable: '0+', default: null }),
  ownedPartitions: array(
    '1+',
    { topic: string('1+'), partitions: array('1+', 'int32') },
    { ignorable: true },
  ),
  generationId: int32('2+', { default: -1, ignorable: true }),
  rackId: string('3+', { nullable: '3+', default: null, ignorable: true }),
});

/** What the leader of a classic group hands a member: carried as `assignment` in SyncGroup. */
export const ConsumerProtocolAssignment = message('ConsumerProtocolAssignment', '0-3', 'none', {
  assignedPartitions: array('0+', { topic: string('0+'), partitions: array('0+', 'int32') }),
  userData: bytes('0+', { nullable: '0+', default: null }),
});

/**
 * The user data of the sticky assignor: the partitions a member had, and since version 1 in which
 * generation. Not preceded by a version: a reader tells by what is left.
 */
export const StickyAssignorUserData = message('StickyAssignorUserData', '0-1', 'none', {
  previousAssignment: array('0+', { topic: string('0+'), partitions: array('0+', 'int32') }),
  generation: int32('1+', { default: -1, ignorable: true }),
});
