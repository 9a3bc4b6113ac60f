import type { BrokerChannel } from '../cluster/index.js';
import { apis, ZERO_UUID } from '../protocol/index.js';
import type { Accumulator } from './accumulator.js';
import type { Batch } from './batch.js';
import type { ProducerContext } from './outcomes.js';
import type { PartitionQueue } from './partition-queue.js';
import {
  isSameIdentity,
  startSequences,
  takeSequences,
  type ProducerIdentity,
} from './sequences.js';

const { Produce } = apis;
const LAST_VERSION_WITH_NAMES = 12;
/** Later ones add partitions to transactions by themselves (KIP-890). */
const LAST_VERSION_OF_PROTOCOL_1 = 11;
const FIRST_VERSION_WITH_MAGIC_2 = 3;
const FIRST_VERSION_WITH_ZSTD = 7;
/** It remembers one batch of a producer and not five, so that a retry of an earlier one is lost on it. */
const LAST_VERSION_OF_0_11 = 3;

/** A batch on its way, and where it came from. */
export interface Shipment {
  readonly queue: PartitionQueue;
  readonly batch: Batch;
}

/** Takes one batch of each partition, as many as fit into a request. */
export function load(queues: readonly PartitionQueue[], maxBytes: number): Shipment[] {
  const shipments: Shipment[] = [];
  let bytes = 0;
  for (const queue of queues) {
    const next = queue.peek();
    if (next === undefined) continue;
    bytes += next.bytes?.length ?? next.builder.sizeBytes;
    if (shipments.length > 0 && bytes > maxBytes) break;
    queue.take();
    queue.stuckSince = 0;
    queue.inFlight.push(next);
    shipments.push({ queue, batch: next });
  }
  return shipments;
}

/** The newest version that suits what is sent. */
export function versionFor(
  { accumulator, transactions }: ProducerContext,
  channel: BrokerChannel,
  shipments: readonly Shipment[],
): number {
  const haveIds = shipments.every(({ queue }) => {
    const id = accumulator.topicMetadata(queue.topic)?.id;
    return id !== undefined && id !== ZERO_UUID;
  });
  const isOldProtocol = transactions?.protocol === 1;
  if (isOldProtocol) return channel.version(Produce, LAST_VERSION_OF_PROTOCOL_1);
  return channel.version(Produce, haveIds ? undefined : LAST_VERSION_WITH_NAMES);
}

/** What a broker takes that has a version of Produce. */
export function formatOf(version: number): {
  readonly magic: 0 | 1 | 2;
  readonly hasZstd: boolean;
  /** A partition may have one batch on the way only. */
  readonly isSerial: boolean;
} {
  return {
    magic: version >= FIRST_VERSION_WITH_MAGIC_2 ? 2 : version === 2 ? 1 : 0,
    hasZstd: version >= FIRST_VERSION_WITH_ZSTD,
    isSerial: version <= LAST_VERSION_OF_0_11,
  };
}

/** Brings a batch into the form in which it travels, numbered where the producer is idempotent. */
export function stamp({ queue, batch }: Shipment, identity: ProducerIdentity | undefined): void {
  if (identity === undefined || batch.builder.magic < 2) {
    batch.bytes ??= batch.builder.close();
    return;
  }
  if (!batch.hasSequence) {
    const known = queue.sequences;
    const isCurrent = known !== undefined && isSameIdentity(known.identity, identity);
    const sequences = isCurrent ? known : startSequences(identity);
    batch.firstSequence = sequences.next;
    batch.identity = sequences.identity;
    queue.sequences = takeSequences(sequences, batch.recordCount);
  }
  batch.stamp();
}

/** Batches as a request has them: by their topics. */
export function topicData(accumulator: Accumulator, shipments: readonly Shipment[]) {
  const topics = new Map<string, { index: number; records: Buffer }[]>();
  for (const { queue, batch } of shipments) {
    const entry = { index: queue.partition, records: batch.bytes! };
    const partitions = topics.get(queue.topic);
    if (partitions === undefined) topics.set(queue.topic, [entry]);
    else partitions.push(entry);
  }
  return [...topics].map(([name, partitionData]) => ({
    name,
    topicId: accumulator.topicMetadata(name)?.id ?? ZERO_UUID,
    partitionData,
  }));
}

/** How much a request brings, before headers. */
export function bytesOf(shipments: readonly Shipment[]): number {
  return shipments.reduce((sum, { batch }) => sum + batch.builder.sizeBytes, 0);
}
