/**
 * A member of a group that works on records for a while each and prints what happens, one JSON object a
 * line. Its argument is a {@link MemberTask} as JSON. It leaves in order when its standard input ends.
 */
import { createKafka, fromTopics, processEach, type ConsumerOptions } from '../../../src/index.js';
import { Dice } from '../dice.js';
import type { MemberLine } from '../member.js';

export interface MemberTask {
  readonly bootstrapServers: string;
  readonly topic: string;
  readonly options: ConsumerOptions;
  readonly seed: number;
}

const MAX_WORK_MS = 20;
const DRAIN_TIMEOUT_MS = 20_000;

const { bootstrapServers, topic, options, seed } = JSON.parse(process.argv[2]!) as MemberTask;
const dice = new Dice(seed);
const kafka = createKafka({ bootstrapServers });

kafka.lifecycle.subscribe((event) => {
  if (event.type === 'lost') tell({ type: 'lost', partitions: event.partitions.length });
  if (event.type === 'committed') tell({ type: 'committed', offsets: event.offsets.map(plain) });
  if (event.type === 'assigned') tell({ type: 'assigned', partitions: event.partitions.length });
});
fromTopics(kafka, topic, { autoOffsetReset: 'earliest', ...options })
  .pipe(
    processEach(
      async (record) => {
        tell({ type: 'started', ...plain(record) });
        const workMs = dice.below(MAX_WORK_MS);
        if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs));
        tell({ type: 'finished', ...plain(record) });
      },
      { concurrency: 16, order: 'key' },
    ),
  )
  .subscribe({
    error: (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  });
process.stdin.resume().once('end', () => void leave());

async function leave(): Promise<void> {
  const { recordsFinished, recordsAbandoned } = await kafka.drain({ timeoutMs: DRAIN_TIMEOUT_MS });
  tell({ type: 'left', recordsFinished, recordsAbandoned });
  await kafka.close();
  process.exit(0);
}

/** Pipes are written at once, so that nothing that has happened is untold when the process is killed. */
function tell(line: MemberLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function plain({ partition, offset }: { readonly partition: number; readonly offset: number }) {
  return { partition, offset };
}
