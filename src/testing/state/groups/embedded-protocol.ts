import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  decodeMessage,
  encodeMessage,
  Reader,
  Writer,
  type Decoded,
} from '../../../core/protocol/index.js';
import { ProtocolError } from '../../../core/util/errors.js';

export type Subscription = Decoded<typeof ConsumerProtocolSubscription.fields>;

/** Partitions by topic. */
export type PartitionsByTopic = Readonly<Record<string, readonly number[]>>;

const VERSION_BYTES = 2;

/** What a consumer told its leader; `undefined` for bytes that are nothing of the kind. */
export function readSubscription(bytes: Buffer): Subscription | undefined {
  return read(bytes, (reader, version) => {
    const { max } = ConsumerProtocolSubscription.versions;
    return decodeMessage(reader, ConsumerProtocolSubscription, Math.min(version, max));
  });
}

/** What a leader gave a consumer; `undefined` for bytes that are nothing of the kind. */
export function readAssignment(bytes: Buffer): PartitionsByTopic | undefined {
  const assignment = read(bytes, (reader, version) => {
    const { max } = ConsumerProtocolAssignment.versions;
    return decodeMessage(reader, ConsumerProtocolAssignment, Math.min(version, max));
  });
  if (assignment === undefined) return undefined;
  return Object.fromEntries(
    assignment.assignedPartitions.map(({ topic, partitions }) => [topic, partitions]),
  );
}

/** An assignment in the version that a member's own subscription has. */
export function writeAssignment(partitions: PartitionsByTopic, subscription: Buffer): Buffer {
  const { max } = ConsumerProtocolAssignment.versions;
  const version = Math.min(
    max,
    subscription.length < VERSION_BYTES ? 0 : subscription.readInt16BE(0),
  );
  const writer = new Writer();
  writer.int16(version);
  encodeMessage(writer, ConsumerProtocolAssignment, version, {
    assignedPartitions: Object.entries(partitions).map(([topic, indexes]) => ({
      topic,
      partitions: indexes,
    })),
  });
  return writer.toBuffer();
}

function read<T>(bytes: Buffer, decode: (reader: Reader, version: number) => T): T | undefined {
  if (bytes.length < VERSION_BYTES) return undefined;
  const reader = new Reader(bytes);
  const version = reader.int16();
  try {
    return version < 0 ? undefined : decode(reader, version);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
