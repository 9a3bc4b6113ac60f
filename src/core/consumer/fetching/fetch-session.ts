import { ZERO_UUID } from '../../protocol/index.js';

/** A partition as it is asked for. */
export interface FetchPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: number;
  readonly lastFetchedEpoch: number;
  readonly partitionMaxBytes: number;
  /** Whoever asks has not been told yet where its log ends. */
  readonly isUnheard: boolean;
}

/**
 * An incremental fetch session with one broker (KIP-227): after a full request only what has changed
 * is sent. Never changed, only replaced.
 */
export interface FetchSession {
  /** 0 while the broker has given none. */
  readonly id: number;
  /** 0 asks for a full fetch, -1 ends the session. */
  readonly epoch: number;
  /** What the broker knows to be asked for, by topic and partition. */
  readonly partitions: ReadonlyMap<string, FetchPartition>;
}

export const newSession: FetchSession = { id: 0, epoch: 0, partitions: new Map() };

export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly send: readonly FetchPartition[];
  readonly forget: readonly FetchPartition[];
  /** The session as it is once the broker has answered. */
  readonly next: FetchSession;
}

const FULL = 0;
const MAX_EPOCH = 0x7fff_ffff;

/** What to send so that the broker's answer is about exactly the wanted partitions. */
export function planSession(
  session: FetchSession,
  wanted: readonly FetchPartition[],
): SessionRequest {
  const partitions = new Map(wanted.map((each) => [keyOf(each), each]));
  // Answers leave out what is as before: who is assigned a partition again would never hear of it.
  const isHeard = !wanted.some((each) => each.isUnheard && session.partitions.has(keyOf(each)));
  if (session.id === 0 || session.epoch === FULL || !isHeard) {
    return {
      sessionId: session.id,
      sessionEpoch: FULL,
      send: wanted,
      forget: [],
      next: { ...session, partitions },
    };
  }
  const isRenamed = (before: FetchPartition | undefined, { topicId }: FetchPartition) =>
    before !== undefined && before.topicId !== topicId;
  const send = wanted.filter((each) => !isSame(session.partitions.get(keyOf(each)), each));
  const forget = [...session.partitions.values()].filter((before) => {
    const now = partitions.get(keyOf(before));
    // A topic that was made anew under the same name is another one to the session.
    return now === undefined || isRenamed(before, now);
  });
  return {
    sessionId: session.id,
    sessionEpoch: session.epoch,
    send,
    forget,
    next: { ...session, partitions },
  };
}

/** Takes in that the broker has answered the request. */
export function answeredSession(request: SessionRequest, sessionId: number): FetchSession {
  if (sessionId === 0) return newSession;
  if (request.sessionEpoch === FULL) return { ...request.next, id: sessionId, epoch: 1 };
  const epoch = request.sessionEpoch === MAX_EPOCH ? 1 : request.sessionEpoch + 1;
  return { ...request.next, epoch };
}

/** After a failure, or when the broker has lost the session: asks for everything once more. */
export function restartedSession(session: FetchSession, isKnownToBroker: boolean): FetchSession {
  // A full request with the old id replaces the session and frees its place on the broker.
  return isKnownToBroker ? { ...newSession, id: session.id } : newSession;
}

export function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}-${partition}`;
}

function isSame(before: FetchPartition | undefined, now: FetchPartition): boolean {
  return (
    before?.topicId === now.topicId &&
    before.fetchOffset === now.fetchOffset &&
    before.currentLeaderEpoch === now.currentLeaderEpoch &&
    before.lastFetchedEpoch === now.lastFetchedEpoch &&
    before.partitionMaxBytes === now.partitionMaxBytes
  );
}

/** Requests can name topics by id only where every one of them has an id. */
export function haveIds(partitions: Iterable<{ readonly topicId: string }>): boolean {
  for (const { topicId } of partitions) if (topicId === ZERO_UUID) return false;
  return true;
}
