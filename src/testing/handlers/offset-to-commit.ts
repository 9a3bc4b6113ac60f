import { Errors } from '../error-codes.js';
import type { CommittedOffset } from '../state/groups/committed-offsets.js';
import { Rejection } from '../state/rejection.js';
import type { HandlerContext } from './handler.js';

/** An offset as requests carry it. */
interface OffsetToCommit {
  readonly committedOffset: number;
  readonly committedLeaderEpoch: number;
  readonly committedMetadata: string | null;
  /** -1 where the client leaves it to the broker. */
  readonly commitTimestamp: number;
}

/** The offset as it is kept. @throws Rejection when its metadata is too long. */
export function offsetToCommit(
  given: OffsetToCommit,
  { cluster }: HandlerContext,
): CommittedOffset {
  const { committedOffset: offset, committedLeaderEpoch: leaderEpoch, commitTimestamp } = given;
  const metadata = given.committedMetadata ?? '';
  if (metadata.length > cluster.groups.settings.offsetMetadataMaxBytes) {
    throw new Rejection(Errors.OFFSET_METADATA_TOO_LARGE, 'The metadata of the offset is too long');
  }
  const commitTimestampMs = commitTimestamp === -1 ? cluster.clock.now() : commitTimestamp;
  return { offset, leaderEpoch, metadata, commitTimestampMs };
}
