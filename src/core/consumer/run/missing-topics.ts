import type { ClusterMetadata } from '../../cluster/index.js';
import { brokerError } from '../../protocol/index.js';
import type { ConsumerContext } from '../context.js';
import { nameOf } from '../errors.js';
import type { RunSource } from './run-source.js';

/**
 * Tells of what a consumer waits for and the cluster doesn't have: it may be created yet, or its name
 * may be misspelt. Once for each time that it is missing.
 */
export class MissingTopics {
  /** How many answers in a row have said so. */
  private readonly answers = new Map<string, number>();

  constructor(
    private readonly context: ConsumerContext,
    private readonly source: RunSource,
  ) {}

  /** Takes in what brokers have told. */
  note(metadata: ClusterMetadata): void {
    for (const name of missingOf(this.source, metadata, this.answers)) {
      const answers = (this.answers.get(name) ?? 0) + 1;
      this.answers.set(name, answers);
      // The first such answer may be the one that has the topic created.
      if (answers === 1) this.context.cluster.requestMetadataUpdate();
      if (answers === 2) this.tell(name);
    }
  }

  private tell(name: string): void {
    const message =
      `${name} does not exist, or may not be seen: nothing of it is consumed until it is there. ` +
      `Create it, or check the name`;
    this.context.emit({ type: 'warning', code: 'UNKNOWN_TOPIC', message });
  }
}

/** What brokers say they don't have; what they have is forgotten as missing. */
function missingOf(
  source: RunSource,
  { topics }: ClusterMetadata,
  answers: Map<string, number>,
): string[] {
  return wantedOf(source).flatMap(({ topic, partition, name }) => {
    const known = topics.get(topic);
    if (known === undefined) return [];
    if (known.partitions.length > partition) answers.delete(name);
    else if (known.partitions.length > 0 || isUnknown(known.errorCode)) return [name];
    return [];
  });
}

function wantedOf(source: RunSource) {
  switch (source.type) {
    case 'topics':
      return source.topics.map((topic) => ({ topic, partition: 0, name: topic }));
    case 'partitions':
      return source.ranges.map((range) => ({ ...range, name: nameOf(range) }));
    case 'pattern':
      return [];
  }
}

function isUnknown(errorCode: number): boolean {
  return brokerError(errorCode).name === 'UNKNOWN_TOPIC_OR_PARTITION';
}
