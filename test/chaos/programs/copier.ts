/**
 * Copies a topic by transactions, and prints each that is committed, one JSON object a line. Its argument
 * is a {@link CopierTask} as JSON. It leaves in order when its standard input ends.
 */
import { delay, map, retry, timer } from 'rxjs';
import {
  createKafka,
  FencedError,
  fromTopics,
  transactional,
  type ConsumerOptions,
  type TransactionalOptions,
} from '../../../src/index.js';

export interface CopierTask {
  readonly bootstrapServers: string;
  readonly from: string;
  readonly to: string;
  /** Whose transactions they are. */
  readonly ids: Pick<
    TransactionalOptions,
    'transactionalId' | 'transactionalIdPrefix' | 'groupInstanceId' | 'concurrency'
  >;
  readonly consumer: ConsumerOptions;
  readonly maxRecords: number;
}

/** What it prints. */
export type CopierLine =
  | { readonly type: 'committed'; readonly records: number }
  | { readonly type: 'aborted'; readonly reason: string }
  | { readonly type: 'failed'; readonly reason: string };

const RETRY_MS = 500;
const WORK_MS = 100;

const { bootstrapServers, from, to, ids, consumer, maxRecords } = JSON.parse(
  process.argv[2]!,
) as CopierTask;
const kafka = createKafka({ bootstrapServers, requestTimeoutMs: 5000 });

kafka.lifecycle.subscribe((event) => {
  if (event.type !== 'transaction-aborted') return;
  tell({ type: 'aborted', reason: event.reason?.message ?? '' });
});
fromTopics(kafka, from, {
  isolationLevel: 'read_committed',
  autoOffsetReset: 'earliest',
  drainTimeoutMs: 5000,
  ...consumer,
})
  .pipe(
    transactional(kafka, { ...ids, maxRecords, requestTimeoutMs: 5000 }, (records) =>
      // It takes a while, so that things happen in the middle.
      records.pipe(
        delay(WORK_MS),
        map((record) => record.derive({ topic: to, partition: record.partition })),
      ),
    ),
    // A transaction that the coordinator found too old fences its producer: a new one goes on.
    retry({
      delay: (error: unknown) => {
        tell({ type: 'failed', reason: String(error) });
        if (!(error instanceof FencedError)) throw error;
        return timer(RETRY_MS);
      },
    }),
  )
  .subscribe({
    next: ({ records }) => tell({ type: 'committed', records }),
    error: (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  });
process.stdin.resume().once('end', () => void leave());

async function leave(): Promise<void> {
  await kafka.drain({ timeoutMs: 10_000 });
  process.exit(0);
}

/** Pipes are written at once, so that nothing that has happened is untold when the process is killed. */
function tell(line: CopierLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
