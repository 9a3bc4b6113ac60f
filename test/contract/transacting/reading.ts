import { fromOffsetRange } from '../../../src/index.js';
import { PARTITIONS } from '../cluster.js';
import { collect, type ContractSetup } from '../setup.js';

/** What `read_committed` sees of a topic, in the order of its partitions. */
export async function committedValues(setup: ContractSetup, topic: string): Promise<string[]> {
  await using kafka = setup.connect();
  const range = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  const options = { isolationLevel: 'read_committed' } as const;
  const records = await collect(fromOffsetRange(kafka, range, options));
  return records
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map(({ value }) => String(value));
}
