import type { Partition } from './partition.js';
import type { TopicConfig } from './topic-config.js';

export interface Topic {
  readonly name: string;
  /** 22 characters of base64url (KIP-516). */
  readonly id: string;
  readonly config: TopicConfig;
  readonly partitions: Partition[];
}

const MAX_NAME_LENGTH = 249;

/** What is wrong with a topic's name; `undefined` when nothing is. */
export function complaintOnTopicName(name: string): string | undefined {
  if (name === '') return 'the empty string is not allowed';
  if (name === '.' || name === '..') return `'${name}' is not allowed`;
  if (name.length > MAX_NAME_LENGTH) {
    return `the length of '${name}' is longer than the max allowed length ${MAX_NAME_LENGTH}`;
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`;
  }
  return undefined;
}
