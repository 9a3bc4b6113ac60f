import { fromOffsetRange } from '../../../src/index.js';
import { PARTITIONS } from '../cluster.js';
import { collect, type ContractSetup } from '../setup.js';

/**
 * What `read_committed` sees of a topic, in the order of its partitions, once all that was written is
 * decided: brokers write the markers of a transaction after they have said that it is committed.
 */
export async function committedValues(setup: ContractSetup, topic: string): Promise<string[]> {
  await using kafka = setup.connect();
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  const ends = await kafka.consumer().endOffsets(partitions);
  const range = ends.map(({ offset, ...partition }) => ({ ...partition, to: offset }));
  const options = { isolationLevel: 'read_committed' } as const;
  const records = await collect(fromOffsetRange(kafka, range, options));
  return records
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map(({ value }) => String(value));
}
