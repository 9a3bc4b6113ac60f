/** What every client is given to send. */
export interface Outbound {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The same for clients that take nothing but strings, so that none has to convert. */
  readonly keyText: string;
  readonly valueText: string;
}

/** Records to send, until there are no more. */
export interface Supply {
  next(): Outbound | undefined;
}

export type Compression = 'none' | 'lz4' | 'zstd';

export interface ProducerSetup {
  readonly bootstrapServers: string;
  readonly topic: string;
  /** Of a record's value. */
  readonly valueBytes: number;
  readonly compression: Compression;
  /** `latency`: every record at once, linger 0. */
  readonly goal: 'throughput' | 'latency';
}

/** A connected producer, idempotent and with acks=all. */
export interface ProducerSession {
  /**
   * The ways this client has of sending many records. Each resolves when all that the supply gave
   * are acknowledged, and may be called again after that.
   */
  readonly ways: Readonly<Record<string, (supply: Supply) => Promise<void>>>;
  /** Sends one record; resolves when it is acknowledged. May be called while others are under way. */
  readonly sendOne: (record: Outbound) => Promise<unknown>;
  readonly close: () => Promise<unknown>;
}

export interface ConsumerSetup {
  readonly bootstrapServers: string;
  readonly topic: string;
  readonly groupId: string;
}

/** Takes what was consumed: every value is handed over, one by one, also by who has them in arrays. */
export interface Intake {
  one(value: Buffer | string | null): void;
}

/** A way of consuming, from the topic's first record on, until the process ends. */
export interface WayToConsume {
  readonly delivers: 'records' | 'arrays';
  /** What was set. */
  readonly settings: string;
  /** Resolves once it has begun. */
  readonly start: (setup: ConsumerSetup, intake: Intake) => Promise<unknown>;
}

/** A client that is measured, seen through what all of them can do. */
export interface Client {
  /** As in the package registry. */
  readonly name: string;
  /** Its ways of sending, with what was set for each. */
  readonly waysToSend: Readonly<Record<string, string>>;
  /** What it can compress with. */
  readonly compressions: readonly Compression[];
  readonly produce: (setup: ProducerSetup) => Promise<ProducerSession>;
  readonly waysToConsume: Readonly<Record<string, WayToConsume>>;
  /** What it can decompress. */
  readonly decompressions: readonly Compression[];
}

/**
 * Sends records one by one, each with a confirmation of its own, and keeps at most `limit` of them
 * unconfirmed.
 */
export function confirmEach(
  supply: Supply,
  limit: number,
  send: (record: Outbound) => Promise<unknown>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let open = 0;
    let isFilling = false;
    const confirmed = () => {
      open--;
      if (!isFilling && open <= limit / 2) fill();
    };
    const fill = () => {
      isFilling = true;
      while (open < limit) {
        const record = supply.next();
        if (record === undefined) {
          if (open === 0) resolve();
          break;
        }
        open++;
        send(record).then(confirmed, reject);
      }
      isFilling = false;
    };
    fill();
  });
}

/** Sends records in arrays, at most `limit` of which are unconfirmed at once. */
export async function confirmArrays(
  supply: Supply,
  { records: size, limit }: { records: number; limit: number },
  send: (records: Outbound[]) => Promise<unknown>,
): Promise<void> {
  const worker = async () => {
    for (;;) {
      const records: Outbound[] = [];
      while (records.length < size) {
        const record = supply.next();
        if (record === undefined) break;
        records.push(record);
      }
      if (records.length === 0) return;
      await send(records);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** How many records of a size make up so many bytes, within reason. */
export function recordsIn(bytes: number, valueBytes: number): number {
  return Math.max(100, Math.floor(bytes / (valueBytes + 27)));
}
