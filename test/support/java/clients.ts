import { JavaHarness } from './harness.js';

/** Kafka's own settings, as in `{ 'bootstrap.servers': 'localhost:9092' }`. */
export type JavaConfig = Readonly<Record<string, string | number | boolean>>;

/** A record for Java to write. */
export interface JavaRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly timestamp?: number;
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | string | null;
  readonly headers?: readonly (readonly [string, Buffer | string | null])[];
}

/** A record as Java has read it. */
export interface JavaRead {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer | null])[];
}

export interface JavaReceipt {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
}

export interface JavaSend {
  /** Sends of one name share a producer, made by the first of them. */
  readonly producer?: string;
  readonly config?: JavaConfig;
  readonly records: readonly JavaRecord[];
  /** Offsets that a transaction commits for a group. */
  readonly offsets?: {
    readonly groupId: string;
    readonly positions: readonly {
      readonly topic: string;
      readonly partition: number;
      readonly offset: number;
    }[];
  };
  /** What to do once they are written; by default nothing: a transaction stays open. */
  readonly then?: 'commit' | 'abort' | 'close';
}

type Encoded = Omit<JavaRead, 'key' | 'value' | 'headers'> & {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
};

interface ReadAnswer {
  readonly records: readonly Encoded[];
  /** By partition. */
  readonly positions: Readonly<Record<string, number>>;
  readonly isAtEnd: boolean;
}

const READ_LIMIT = 50_000;

/** Java's producer and consumer, in one process for as many clusters as wanted. */
export class JavaClients implements AsyncDisposable {
  private constructor(private readonly harness: JavaHarness) {}

  /** Version 3.9 talks to brokers from 0.10 on, 4.x to those from 2.1 on. */
  static async start(kafkaVersion: '3.9.2' | '4.3.1' = '3.9.2'): Promise<JavaClients> {
    return new JavaClients(await JavaHarness.start('Clients', kafkaVersion));
  }

  /** Writes records and tells where they are. */
  async send(
    bootstrapServers: string,
    { records, config, ...rest }: JavaSend,
  ): Promise<JavaReceipt[]> {
    const command = {
      ...rest,
      // The wire knows no two producers of one name on two clusters.
      producer: `${rest.producer ?? ''} ${bootstrapServers}`,
      config: { 'bootstrap.servers': bootstrapServers, ...config },
      records: records.map((record) => ({
        ...record,
        key: toBase64(record.key),
        value: toBase64(record.value),
        headers: record.headers?.map(([name, value]) => [name, toBase64(value)]) ?? [],
      })),
    };
    return JSON.parse(await this.harness.ask('send', JSON.stringify(command))) as JavaReceipt[];
  }

  /** Every record of a topic up to its end, ordered by partition and offset. */
  async readAll(
    bootstrapServers: string,
    topic: string,
    config: JavaConfig = {},
  ): Promise<JavaRead[]> {
    const encoded: Encoded[] = [];
    const command = { topic, config: { 'bootstrap.servers': bootstrapServers, ...config } };
    let positions: object = {};
    for (;;) {
      // In parts, for an answer is one line that has to fit into Java's memory.
      const question = JSON.stringify({ ...command, positions, limit: READ_LIMIT });
      const answer = JSON.parse(await this.harness.ask('read', question)) as ReadAnswer;
      for (const record of answer.records) encoded.push(record);
      if (answer.isAtEnd) break;
      positions = answer.positions;
    }
    return encoded
      .map(({ key, value, headers, ...rest }) => ({
        ...rest,
        key: fromBase64(key),
        value: fromBase64(value),
        headers: headers.map(([name, bytes]) => [name, fromBase64(bytes)] as const),
      }))
      .toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.harness[Symbol.asyncDispose]();
  }
}

function toBase64(bytes: Buffer | string | null | undefined): string | null {
  return bytes == null ? null : Buffer.from(bytes as string).toString('base64');
}

function fromBase64(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64');
}
