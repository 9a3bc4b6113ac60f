import type { BrokerDemand } from './fetch-demand.js';
import { waitOf } from './fetch-plan.js';
import { newSession, type FetchSession } from './fetch-session.js';

/** What a consumer keeps of one broker that it fetches from. */
export interface FetchedBroker {
  session: FetchSession;
  /** A fetch is on the way. */
  isBusy: boolean;
  /** Fetches in a row that have failed. */
  failures: number;
  /** Fetches that have left partitions out of which none had moved since the one before. */
  idleFetches: number;
  /** What {@link BrokerDemand.moves} was then. */
  moves: number;
}

/** The brokers that are fetched from, by their ids. */
export class FetchedBrokers {
  private readonly brokers = new Map<number, FetchedBroker>();

  get count(): number {
    return this.brokers.size;
  }

  isBusy(node: number): boolean {
    return this.brokers.get(node)?.isBusy === true;
  }

  of(node: number): FetchedBroker {
    let broker = this.brokers.get(node);
    if (broker === undefined) {
      broker = { session: newSession, isBusy: false, failures: 0, idleFetches: 0, moves: 0 };
      this.brokers.set(node, broker);
    }
    return broker;
  }

  /** Forgets those that have left the cluster: what is set aside for each is for the others. */
  keep(isKnown: (node: number) => boolean): void {
    for (const [node, { isBusy }] of this.brokers) {
      if (!isBusy && !isKnown(node)) this.brokers.delete(node);
    }
  }

  /** How long the next fetch may wait for data. */
  waitFor(node: number, { others, moves }: BrokerDemand, fetchMaxWaitMs: number): number {
    const broker = this.of(node);
    const leavesOut = others > 0;
    const isMoving = moves !== broker.moves;
    broker.moves = moves;
    broker.idleFetches = leavesOut && !isMoving ? broker.idleFetches + 1 : 0;
    return waitOf({ leavesOut, isMoving }, broker.idleFetches, fetchMaxWaitMs);
  }

  [Symbol.iterator](): IterableIterator<[number, FetchedBroker]> {
    return this.brokers[Symbol.iterator]();
  }
}
