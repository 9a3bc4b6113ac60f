import { lastValueFrom, toArray, type Observable } from 'rxjs';
import { afterAll, beforeAll } from 'vitest';
import { createKafka, type Kafka, type KafkaOptions } from '../../src/index.js';
import type { LoggedRecord } from '../support/kafka/wire.js';
import { capabilitiesOf, type Capabilities, type ContractCluster } from './cluster.js';

/** What the specs of one line of Kafka share. */
export interface ContractSetup {
  readonly version: string;
  readonly capabilities: Capabilities;
  /** Running while specs run. */
  readonly cluster: ContractCluster;
  /** A client of it. */
  connect(options?: Partial<KafkaOptions>): Kafka;
}

/** Starts a cluster before the specs around the call, and stops it after them. */
export function useCluster<V extends string>(
  version: V,
  start: (version: V) => Promise<ContractCluster>,
): ContractSetup {
  let cluster: ContractCluster | undefined;
  beforeAll(async () => {
    cluster = await start(version);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });
  return {
    version,
    capabilities: capabilitiesOf(version),
    get cluster() {
      if (cluster === undefined) throw new Error('The cluster has not been started');
      return cluster;
    },
    connect(options = {}) {
      return createKafka({ bootstrapServers: this.cluster.bootstrapServers, ...options });
    },
  };
}

let topics = 0;

/** A name no other spec has. */
export function uniqueTopic(name: string): string {
  return `${name}-${++topics}`;
}

/** Everything that an Observable emits until it completes. */
export function collect<T>(source: Observable<T>): Promise<T[]> {
  return lastValueFrom(source.pipe(toArray()));
}

/** Why a promise was rejected; `undefined` when it wasn't. */
export function reasonOf(outcome: PromiseSettledResult<unknown> | undefined): unknown {
  return outcome?.status === 'rejected' ? outcome.reason : undefined;
}

/** The values of records as text, in their order. */
export function texts(records: readonly LoggedRecord[]): (string | null)[] {
  return records.map(({ value }) => value?.toString() ?? null);
}

/** The values of one partition as text, in the order of the log. */
export function textsOf(records: readonly LoggedRecord[], partition: number): (string | null)[] {
  return texts(records.filter((record) => record.partition === partition));
}
