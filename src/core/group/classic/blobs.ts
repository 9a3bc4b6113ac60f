import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  decodeMessage,
  encodeMessage,
  Reader,
  Writer,
  type Message,
} from '../../protocol/index.js';
import { ProtocolError } from '../../util/errors.js';
import type { MemberAssignment, MemberSubscription } from '../assignors/assignor.js';
import { compareStrings } from '../assignors/java-order.js';
import { flattenTopics, groupByTopic } from '../topic-partition.js';

/**
 * What members of a classic group tell one another through the coordinator, which doesn't look into
 * it: a version, then a message of that version. A reader takes what it knows of newer versions,
 * whose fields only ever follow.
 */

const NEWEST = 3;
const NO_GENERATION = -1;

export function encodeSubscription(member: Omit<MemberSubscription, 'memberId'>): Buffer {
  const owned = [...member.ownedPartitions].sort(
    (a, b) => compareStrings(a.topic, b.topic) || a.partition - b.partition,
  );
  return encode(ConsumerProtocolSubscription, {
    topics: [...member.topics].sort(compareStrings),
    userData: member.userData,
    ownedPartitions: groupByTopic(owned),
    generationId: member.generationId ?? NO_GENERATION,
    rackId: member.rackId ?? null,
  });
}

/** @throws ProtocolError naming the member whose bytes make no sense. */
export function decodeSubscription(
  memberId: string,
  groupInstanceId: string | null,
  bytes: Buffer,
): MemberSubscription {
  const { version, reader } = open(bytes, `the subscription of member ${memberId}`);
  const told = decodeMessage(reader, ConsumerProtocolSubscription, version);
  return {
    memberId,
    groupInstanceId,
    topics: told.topics,
    userData: told.userData,
    ownedPartitions: flattenTopics(told.ownedPartitions),
    generationId: told.generationId < 0 ? undefined : told.generationId,
    rackId: told.rackId === null || told.rackId === '' ? undefined : told.rackId,
  };
}

export function encodeAssignment({ partitions, userData }: MemberAssignment): Buffer {
  return encode(ConsumerProtocolAssignment, {
    assignedPartitions: groupByTopic(partitions),
    userData: userData ?? null,
  });
}

/** No bytes at all stand for no partitions, as coordinators answer members the leader left out. */
export function decodeAssignment(bytes: Buffer): MemberAssignment {
  if (bytes.length === 0) return { partitions: [], userData: null };
  const { version, reader } = open(bytes, 'the assignment');
  const told = decodeMessage(reader, ConsumerProtocolAssignment, version);
  return { partitions: flattenTopics(told.assignedPartitions), userData: told.userData };
}

function encode(message: Message, value: Record<string, unknown>): Buffer {
  const writer = new Writer();
  writer.int16(NEWEST);
  encodeMessage(writer, message, NEWEST, value);
  return writer.toBuffer();
}

function open(bytes: Buffer, what: string): { version: number; reader: Reader } {
  const reader = new Reader(bytes);
  const version = bytes.length < 2 ? NO_GENERATION : reader.int16();
  if (version < 0) throw new ProtocolError(`${what} has no version in front`);
  return { version: Math.min(version, NEWEST), reader };
}
