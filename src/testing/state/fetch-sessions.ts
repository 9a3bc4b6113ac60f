import type { Clock } from '../../core/util/clock.js';
import { Errors } from '../error-codes.js';
import { Rejection } from './rejection.js';

/** A partition that is asked for. */
export interface FetchPartition<Query> {
  /** `''` where topics go by id. */
  readonly topic: string;
  /** All zero where topics go by name. */
  readonly topicId: string;
  readonly partition: number;
  readonly query: Query;
}

/** What a fetch says of its session, and in it. */
export interface SessionRequest<Query> {
  readonly sessionId: number;
  readonly epoch: number;
  readonly usesTopicIds: boolean;
  readonly partitions: readonly FetchPartition<Query>[];
  readonly forgotten: readonly FetchPartition<unknown>[];
}

/** What the client learns of a partition, as far as it decides whether to tell it. */
export interface PartitionNews {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly hasRecords: boolean;
  /** Something that is always told: a diverging epoch, a nearer replica. */
  readonly isUrgent: boolean;
}

/** A fetch within a session, or without one. */
export interface FetchContext<Query> {
  /** What to read, in this order. */
  readonly partitions: readonly FetchPartition<Query>[];
  /**
   * Chooses what of the news, in the order of the partitions, goes into the answer.
   *
   * @throws Rejection when the session has gone on meanwhile.
   */
  finish(news: readonly PartitionNews[]): {
    readonly sessionId: number;
    readonly isTold: readonly boolean[];
  };
}

interface CachedPartition<Query> extends FetchPartition<Query> {
  readonly toldHighWatermark: number;
  readonly toldLogStartOffset: number;
}

interface Session<Query> {
  readonly id: number;
  readonly usesTopicIds: boolean;
  readonly createdMs: number;
  epoch: number;
  lastUsedMs: number;
  /** Old enough to give way to a larger one. */
  isSettled: boolean;
  /** In the order in which they are read. */
  readonly partitions: Map<string, CachedPartition<Query>>;
}

const NO_SESSION = 0;
/** A full fetch that wants a session. */
const INITIAL_EPOCH = 0;
/** A full fetch that wants none. */
const FINAL_EPOCH = -1;
const MAX_EPOCH = 0x7fff_ffff;
/** Kafka's `min.incremental.fetch.session.eviction.ms`. */
const EVICTION_MS = 120_000;
const UNKNOWN = -1;

/** The incremental fetch sessions of one broker (KIP-227). */
export class FetchSessions<Query> {
  private readonly sessions = new Map<number, Session<Query>>();

  /** @param limit Kafka's `max.incremental.fetch.session.cache.slots`. */
  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
  ) {}

  /** How many partitions each session has, by its id. */
  get sizes(): ReadonlyMap<number, number> {
    return new Map([...this.sessions].map(([id, { partitions }]) => [id, partitions.size]));
  }

  /** Finds out what a fetch wants. @throws Rejection for a session that can't go on. */
  open(request: SessionRequest<Query>): FetchContext<Query> {
    const { sessionId, epoch } = request;
    if (epoch !== INITIAL_EPOCH && epoch !== FINAL_EPOCH) return this.resume(request);
    // A full fetch ends the session that it names.
    if (sessionId !== NO_SESSION) this.sessions.delete(sessionId);
    return epoch === FINAL_EPOCH ? withoutSession(request.partitions) : this.begin(request);
  }

  private begin({ partitions, usesTopicIds }: SessionRequest<Query>): FetchContext<Query> {
    return {
      partitions,
      finish: (news) => {
        const sessionId = this.create(partitions, news, usesTopicIds);
        return { sessionId, isTold: news.map(() => true) };
      },
    };
  }

  private resume(request: SessionRequest<Query>): FetchContext<Query> {
    const session = this.sessions.get(request.sessionId);
    if (session === undefined) {
      const message = `There is no session ${request.sessionId}`;
      throw new Rejection(Errors.FETCH_SESSION_ID_NOT_FOUND, message);
    }
    if (session.epoch !== request.epoch) throw wrongEpoch(session, request.epoch);
    if (session.usesTopicIds !== request.usesTopicIds) {
      const message = `Session ${session.id} names topics the other way`;
      throw new Rejection(Errors.FETCH_SESSION_TOPIC_ID_ERROR, message);
    }
    for (const partition of request.partitions) {
      const key = keyOf(partition);
      const cached = session.partitions.get(key) ?? unknown(partition);
      session.partitions.set(key, { ...cached, ...partition });
    }
    for (const partition of request.forgotten) session.partitions.delete(keyOf(partition));
    if (session.partitions.size === 0) {
      this.sessions.delete(session.id);
      return withoutSession([]);
    }
    this.touch(session);
    session.epoch = session.epoch === MAX_EPOCH ? 1 : session.epoch + 1;
    return this.increment(session);
  }

  private increment(session: Session<Query>): FetchContext<Query> {
    const { epoch } = session;
    const partitions = [...session.partitions.values()];
    return {
      partitions,
      finish: (news) => {
        if (session.epoch !== epoch) throw wrongEpoch(session, epoch);
        const isTold = news.map((each, i) => tell(session, partitions[i]!, each));
        return { sessionId: session.id, isTold };
      },
    };
  }

  /** The id of a new session; none where there is no room for it. */
  private create(
    partitions: readonly FetchPartition<Query>[],
    news: readonly PartitionNews[],
    usesTopicIds: boolean,
  ): number {
    if (this.sessions.size >= this.limit && !this.evictFor(partitions.length)) return NO_SESSION;
    const now = this.clock.monotonic();
    const session: Session<Query> = {
      id: this.newId(),
      usesTopicIds,
      createdMs: now,
      epoch: 1,
      lastUsedMs: now,
      isSettled: false,
      partitions: new Map(),
    };
    for (const [i, partition] of partitions.entries()) {
      session.partitions.set(keyOf(partition), told(partition, news[i]!));
    }
    this.sessions.set(session.id, session);
    return session.id;
  }

  private touch(session: Session<Query>): void {
    session.lastUsedMs = this.clock.monotonic();
    session.isSettled = session.lastUsedMs - session.createdMs > EVICTION_MS;
  }

  /** Makes room: a session that nobody uses goes first, then a settled one that is smaller. */
  private evictFor(size: number): boolean {
    const sessions = [...this.sessions.values()];
    if (sessions.length === 0) return false;
    const oldest = sessions.reduce((a, b) => (b.lastUsedMs < a.lastUsedMs ? b : a));
    if (this.clock.monotonic() - oldest.lastUsedMs > EVICTION_MS) {
      return this.sessions.delete(oldest.id);
    }
    const settled = sessions.filter(({ isSettled }) => isSettled);
    if (settled.length === 0) return false;
    const smallest = settled.reduce((a, b) => (b.partitions.size < a.partitions.size ? b : a));
    return smallest.partitions.size < size && this.sessions.delete(smallest.id);
  }

  private newId(): number {
    let id: number;
    do id = 1 + Math.floor(this.clock.random() * 0x7fff_fffe);
    while (this.sessions.has(id));
    return id;
  }
}

function withoutSession<Query>(partitions: readonly FetchPartition<Query>[]): FetchContext<Query> {
  return {
    partitions,
    finish: (news) => ({ sessionId: NO_SESSION, isTold: news.map(() => true) }),
  };
}

/** Whether there is news of a partition. One that had records is read last the next time. */
function tell<Query>(
  session: Session<Query>,
  partition: FetchPartition<Query>,
  news: PartitionNews,
): boolean {
  const key = keyOf(partition);
  const cached = session.partitions.get(key);
  if (cached === undefined) return false;
  const isNews =
    news.hasRecords ||
    news.isUrgent ||
    news.errorCode !== Errors.NONE ||
    news.highWatermark !== cached.toldHighWatermark ||
    news.logStartOffset !== cached.toldLogStartOffset;
  if (!isNews) return false;
  if (news.hasRecords) session.partitions.delete(key);
  session.partitions.set(key, told(partition, news));
  return true;
}

function told<Query>(
  partition: FetchPartition<Query>,
  { highWatermark, logStartOffset }: PartitionNews,
): CachedPartition<Query> {
  // Answers with an error have no high watermark, so that the end of it is news as well.
  return { ...partition, toldHighWatermark: highWatermark, toldLogStartOffset: logStartOffset };
}

function unknown<Query>(partition: FetchPartition<Query>): CachedPartition<Query> {
  return { ...partition, toldHighWatermark: UNKNOWN, toldLogStartOffset: UNKNOWN };
}

function keyOf({ topic, topicId, partition }: FetchPartition<unknown>): string {
  return `${topicId} ${topic} ${partition}`;
}

function wrongEpoch({ id, epoch }: { id: number; epoch: number }, claimed: number): Rejection {
  return new Rejection(
    Errors.INVALID_FETCH_SESSION_EPOCH,
    `Session ${id} is at epoch ${epoch}, not ${claimed}`,
  );
}
