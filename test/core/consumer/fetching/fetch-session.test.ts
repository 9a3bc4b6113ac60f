import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answeredSession,
  haveIds,
  keyOf,
  newSession,
  planSession,
  restartedSession,
  type FetchPartition,
  type FetchSession,
  type SessionRequest,
} from '../../../../src/core/consumer/fetching/fetch-session.js';
import { ZERO_UUID } from '../../../../src/core/protocol/index.js';

const MAX_EPOCH = 0x7fff_ffff;

function wanted(partition: number, fetchOffset: number, topicId = 'id'): FetchPartition {
  return {
    topic: 'orders',
    topicId,
    partition,
    fetchOffset,
    currentLeaderEpoch: 1,
    lastFetchedEpoch: 1,
    partitionMaxBytes: 1000,
    isUnheard: false,
  };
}

function established(partitions: readonly FetchPartition[], epoch = 1): FetchSession {
  return { id: 9, epoch, partitions: new Map(partitions.map((each) => [keyOf(each), each])) };
}

describe('a fetch session', () => {
  it('begins with a full fetch, and says afterwards only what has changed', () => {
    const both = [wanted(0, 5), wanted(1, 5)];
    const first = planSession(newSession, both);
    expect(first).toMatchObject({ sessionId: 0, sessionEpoch: 0, send: both, forget: [] });
    const moved = [wanted(0, 8), wanted(1, 5)];
    const second = planSession(answeredSession(first, 77), moved);
    expect(second).toMatchObject({ sessionId: 77, sessionEpoch: 1, send: [moved[0]], forget: [] });
  });

  it('begins anew for who is assigned a partition again, for answers leave out what is as before', () => {
    const [again, other] = [{ ...wanted(0, 5), isUnheard: true }, wanted(1, 5)];
    const request = planSession(established([wanted(0, 5), other]), [again, other]);
    expect(request).toMatchObject({ sessionId: 9, sessionEpoch: 0, send: [again, other] });
    const fresh = { ...wanted(2, 0), isUnheard: true };
    const added = planSession(established([other]), [other, fresh]);
    expect(added).toMatchObject({ sessionEpoch: 1, send: [fresh] });
  });

  it('has the broker forget what is wanted no more', () => {
    const request = planSession(established([wanted(0, 5), wanted(1, 5)]), [wanted(1, 5)]);
    expect(request).toMatchObject({ send: [], forget: [wanted(0, 5)] });
  });

  it('forgets a topic that was made anew and asks for the new one', () => {
    const request = planSession(established([wanted(0, 5, 'old')]), [wanted(0, 0, 'new')]);
    expect(request.forget).toEqual([wanted(0, 5, 'old')]);
    expect(request.send).toEqual([wanted(0, 0, 'new')]);
  });

  it('stays full where the broker gives no session', () => {
    const request = planSession(newSession, [wanted(0, 5)]);
    expect(answeredSession(request, 0)).toBe(newSession);
  });

  it('goes round from the highest epoch to 1, for 0 would ask for everything', () => {
    const request = planSession(established([wanted(0, 5)], MAX_EPOCH), [wanted(0, 6)]);
    expect(answeredSession(request, 9).epoch).toBe(1);
  });

  it('takes its own place on the broker when it begins anew, unless the broker lost it', () => {
    const session = established([wanted(0, 5)], 4);
    expect(planSession(restartedSession(session, true), [wanted(0, 5)])).toMatchObject({
      sessionId: 9,
      sessionEpoch: 0,
    });
    expect(restartedSession(session, false)).toBe(newSession);
  });

  it('names topics by id only where each has one', () => {
    expect(haveIds([{ topicId: 'a' }, { topicId: 'b' }])).toBe(true);
    expect(haveIds([{ topicId: 'a' }, { topicId: ZERO_UUID }])).toBe(false);
  });
});

/** What a broker keeps of a session. */
class BrokerSide {
  private known = new Map<string, FetchPartition>();
  private id = 0;
  private epoch = 0;
  private nextId = 1;

  /** What the broker takes the request to ask for; an error's name when it refuses. */
  fetch({ sessionId, sessionEpoch, send, forget }: SessionRequest): FetchPartition[] | string {
    if (sessionEpoch === 0) {
      this.known = new Map(send.map((each) => [nameOf(each), each]));
      this.id = this.nextId++;
      this.epoch = 1;
      return [...this.known.values()];
    }
    if (sessionId !== this.id) return 'FETCH_SESSION_ID_NOT_FOUND';
    if (sessionEpoch !== this.epoch) return 'INVALID_FETCH_SESSION_EPOCH';
    this.epoch++;
    for (const each of forget) this.known.delete(nameOf(each));
    for (const each of send) this.known.set(nameOf(each), each);
    return [...this.known.values()];
  }

  get sessionId(): number {
    return this.id;
  }

  evict(): void {
    this.id = -1;
  }
}

/** A broker knows topics by their ids. */
function nameOf({ topicId, partition }: FetchPartition): string {
  return `${topicId} ${partition}`;
}

describe('any sequence of wanted partitions, lost answers and evictions', () => {
  const partition = fc
    .record({ partition: fc.nat(4), offset: fc.nat(3), id: fc.constantFrom('a', 'b') })
    .map(({ partition: index, offset, id }) => wanted(index, offset, id));
  const round = fc.record({
    wanted: fc.uniqueArray(partition, { selector: (each) => each.partition }),
    fate: fc.constantFrom('answered', 'answered', 'answered', 'lost', 'evicted'),
  });

  it('has the broker read exactly what is wanted', () => {
    fc.assert(
      fc.property(fc.array(round, { maxLength: 30 }), (rounds) => {
        const broker = new BrokerSide();
        let session = newSession;
        for (const { wanted: now, fate } of rounds) {
          if (fate === 'evicted') broker.evict();
          let request = planSession(session, now);
          let asked = broker.fetch(request);
          if (typeof asked === 'string') {
            session = restartedSession(session, asked !== 'FETCH_SESSION_ID_NOT_FOUND');
            request = planSession(session, now);
            asked = broker.fetch(request);
          }
          expect(new Set(asked as FetchPartition[])).toEqual(new Set(now));
          session =
            fate === 'lost'
              ? restartedSession(session, true)
              : answeredSession(request, broker.sessionId);
        }
      }),
      { numRuns: 300 },
    );
  });
});
