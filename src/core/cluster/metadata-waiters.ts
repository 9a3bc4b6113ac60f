import { brokerError } from '../protocol/index.js';
import { TimeoutError } from '../util/errors.js';
import type { ClusterMetadata } from './metadata.js';
import { within, type Bounds } from './wait.js';

/** What somebody wants to be told. */
export interface Wanted {
  readonly topics: readonly string[];
  /** Number of the first question that was asked after the wait began. */
  readonly from: number;
  /** Whether only an answer to such a one will do, whatever is known already. */
  readonly wantsNews: boolean;
}

interface Waiter extends Wanted {
  readonly resolve: (metadata: ClusterMetadata) => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait for metadata: each until what is known fits, or the time is up. */
export class MetadataWaiters {
  private readonly waiters = new Set<Waiter>();

  get isEmpty(): boolean {
    return this.waiters.size === 0;
  }

  /** The topics that are waited for. */
  get topics(): ReadonlySet<string> {
    return new Set([...this.waiters].flatMap(({ topics }) => topics));
  }

  wait(wanted: Wanted, bounds: Bounds): Promise<ClusterMetadata> {
    let waiter: Waiter | undefined;
    const found = new Promise<ClusterMetadata>((resolve, reject) => {
      waiter = { ...wanted, resolve, reject };
      this.waiters.add(waiter);
    });
    return within(found, bounds).finally(() => this.waiters.delete(waiter!));
  }

  /**
   * Ends the wait of those whom this fits.
   *
   * @param answered number of the last question that was answered.
   */
  settle(metadata: ClusterMetadata, answered: number): void {
    for (const waiter of [...this.waiters]) {
      if (!fits(metadata, answered, waiter)) continue;
      this.waiters.delete(waiter);
      waiter.resolve(metadata);
    }
  }

  rejectAll(error: Error): void {
    for (const { reject } of this.waiters) reject(error);
    this.waiters.clear();
  }
}

/** Whether it is known where a part of the topic at least can be found. */
export function isUsable({ topics }: ClusterMetadata, name: string): boolean {
  return topics.get(name)?.partitions.some(({ leader }) => leader >= 0) === true;
}

/** The error of whoever has waited for too long. */
export function notTold(
  topics: readonly string[],
  metadata: ClusterMetadata,
  cause: unknown,
): TimeoutError {
  const missing = topics.filter((name) => !isUsable(metadata, name));
  const reasons = missing.map((name) => {
    const code = errorCodeOf(metadata, name);
    return code === 0 ? name : `${name} (${brokerError(code).name})`;
  });
  const why = cause instanceof Error ? `; the last attempt failed: ${cause.message}` : '';
  const what = reasons.length === 0 ? 'about the cluster' : `where to find ${reasons.join(', ')}`;
  return new TimeoutError(`No broker told in time ${what}${why}`, { cause });
}

function fits(
  metadata: ClusterMetadata,
  answered: number,
  { topics, from, wantsNews }: Wanted,
): boolean {
  const isNews = answered >= from;
  if (wantsNews && !isNews) return false;
  return topics.every((name) => isUsable(metadata, name) || (isNews && isHopeless(metadata, name)));
}

/** Whether the cluster has told why the topic can't be used, and waiting doesn't change it. */
function isHopeless(metadata: ClusterMetadata, name: string): boolean {
  const code = errorCodeOf(metadata, name);
  return code !== 0 && !brokerError(code).isRetriable;
}

function errorCodeOf({ topics }: ClusterMetadata, name: string): number {
  return topics.get(name)?.errorCode ?? 0;
}
