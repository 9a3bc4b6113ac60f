import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const TESTS = join(import.meta.dirname, '../..');

/** What is promised of operators and sinks, sentence by sentence, and the tests that would fail. */
const promises: readonly (readonly [
  promise: string,
  proofs: Readonly<Record<string, readonly string[]>>,
])[] = [
  [
    '7: starved flushes what is held back; the end of a topic only where there is no time to wait',
    {
      'operators/batch-each': [
        'when the window is full, long before it is complete',
        'at the end of the topic, where there is no time to wait',
        'batches that are larger than the window don’t hang',
      ],
    },
  ],
  [
    '8: under ack: auto an operator takes a record over synchronously, or it is done',
    {
      'operators/batch-each': [
        'under ack: auto, a batch is done when its delivery returns, unless it was taken over',
      ],
      'operators/map-each': [
        'under ack: auto, a record is taken over by what takes the mapped one over',
      ],
      'operators/flat-map-each': ['under ack: auto, results that nobody took over are done'],
      'operators/fan-out': ['under ack: auto, it is acked when no pipeline took it over'],
      'operators/dedupe-each': [
        'under ack: auto, an id is remembered when its record’s delivery returns',
      ],
    },
  ],
  [
    '11: what was not started goes back when its partition is given up, what was is awaited',
    {
      'operators/process-each': [
        'records that were not started go back, and those in work are finished',
      ],
      'operators/flat-map-each': ['when its partition is given up, what was not started goes back'],
      'operators/fan-out': [
        'when a partition is given up, each gives back what it has not started',
      ],
      'operators/throttle-bytes': [
        'what waits goes back when its partition is given up, and no timer is left',
      ],
      'operators/retry-each': [
        'when its partition is given up, a record that waits goes back, and the next owner tries it',
      ],
      'operators/process-partitioned': [
        'what waits goes back when its partition is given up, and when it is unsubscribed',
      ],
    },
  ],
  [
    '16: derive() is one to one',
    {
      'core/consumer/record/parts': [
        'is one to one: deriving twice is an error that names flatMapEach',
      ],
    },
  ],
  [
    '16: flatMapEach holds a reference of its own until its inner completes',
    {
      'operators/flat-map-each': [
        'the origin is not acked before its results have all come',
        'zero results ack at once',
        'a record may be derived from as often as wanted; the origin is acked when all are written',
      ],
    },
  ],
  [
    '16: what is derived from a batch, or by deriveFrom(), acks all that it was made from',
    {
      'operators/batch-each': ['what is derived from a batch acks all of it'],
      'operators/aggregate-each': ['what is derived from it acks all of them'],
      'core/consumer/record/parts': ['acks all the records that it was given'],
    },
  ],
  [
    '17: processEach hands an origin over whose result is derived',
    {
      'operators/process-each': [
        'take the origin with them: it is acked by whoever writes them',
        'hand it over before they are emitted: a sink may ack at once',
        'that come after unsubscribing go nowhere: the record goes back',
      ],
    },
  ],
  [
    '18: a superseded record is acked when its successor is',
    {
      'operators/switch-each': [
        'a superseded record is acked when its successor is',
        'where a successor fails, both come again',
      ],
    },
  ],
  [
    '18: an id enters the window of dedupeEach when its record is acked',
    {
      'operators/dedupe-each': [
        'an id is remembered when its record is acked: what repeats it before waits for it',
        'a record that failed is no duplicate when it comes again, and takes the others along',
      ],
    },
  ],
  [
    '18: nack redelivers in order within its lane; without lanes there is no order',
    {
      'operators/process-each-failures': [
        'by key: what is behind it waits, other keys go on',
        'by partition: all of it waits, other partitions go on',
        'without an order nothing waits',
      ],
      'core/consumer/nack': ['keeps nothing waiting where there are no lanes'],
    },
  ],
  [
    '19: skip acks, with an event',
    {
      'operators/process-each-failures': ['skip acks the record, and tells why'],
      'operators/retry-topics': ['onError: %s holds after the last topic'],
      'core/consumer/deserializers': [
        'that fails is passed over with an event under skip, and committed past',
      ],
    },
  ],
  [
    '19: what is dropped, retried, dead-lettered and drained is told',
    {
      'sinks/to-topic': ['loses its newest records with drop-newest, each with an event'],
      'operators/retry-each': [
        'tries again until it succeeds, after a backoff that doubles, and acks then',
        'gives a record that waits back when it is unsubscribed, and ends the wait',
      ],
      'operators/dead-letter': [
        'writes what failed as it was stored, with where it came from and why it failed',
      ],
    },
  ],
  [
    '19: a corrupt batch fails the stream, or is skipped',
    {
      'core/consumer/corrupt-records': [
        'ends the stream by default with an error that names it, after what came before',
        'is passed over with an event under skip, and other partitions go on',
      ],
    },
  ],
  [
    '19: deserializers, which may be asynchronous, run before delivery',
    { 'core/consumer/deserializers': ['has its values delivered in order'] },
  ],
  [
    '20: a record is acked after its retry record is, with due time, attempt and origin as headers',
    {
      'operators/retry-topics': [
        'a record is acked after its retry record is, not before',
        'a retry record is the record as stored, with when it is due, the attempts and its origin',
      ],
    },
  ],
  [
    '20: the retry topics are part of the same subscription',
    {
      'operators/retry-topics-held': [
        'nothing connects before it is subscribed to, and nothing is left when it has ended',
      ],
    },
  ],
  [
    '20: a held partition keeps one batch at most, and is neither starved nor stalled',
    {
      'operators/retry-topics': [
        'a partition that waits is fetched no further, and keeps one batch',
        'what waits is not delivered before it is due, holds nothing up, and is neither starved nor stalled',
      ],
    },
  ],
  [
    '20: order is lost for what fails',
    {
      'operators/retry-topics-held': [
        'order is lost for what fails: later records of its key are worked on before it',
      ],
    },
  ],
  [
    '21: records with an origin never overflow or drop, whatever the policy',
    {
      'sinks/to-topic': [
        'never loses records that were derived from consumed ones (%s): they wait',
        'waits for room, bounded by the window it came through',
      ],
    },
  ],
  [
    '21: drop-oldest drops the oldest unsent batch, with events',
    {
      'sinks/to-topic': ['loses its oldest unsent batches with drop-oldest, each with an event'],
    },
  ],
  [
    '21: a failed record’s origin is nacked, but under emit, where it is the user’s',
    {
      'sinks/to-topic': [
        'is nacked when the record can not be sent, and the stream ends',
        'is nacked when a function has seen to its failure, and comes again',
        'is the user’s to settle with onError emit',
      ],
      'sinks/to-topics': ['nacks it, once, when one of its topics refuses it, and the stream ends'],
      'sinks/to-transaction': [
        'a serializer that throws ends the stream, and its record comes again',
      ],
    },
  ],
  [
    '35: one virtual time for operators of both kinds, promises in the asynchronous form',
    {
      'testing/marbles/asynchronous': [
        'promises resolve in virtual time',
        'signals abort in virtual time, and end the work that listens',
      ],
    },
  ],
];

test.each(promises)('rule %s', (_promise, proofs) => {
  const missing = Object.entries(proofs).flatMap(([file, titles]) => {
    const text = readFileSync(join(TESTS, `${file}.test.ts`), 'utf8');
    return titles
      .filter((title) => !text.includes(`'${title}'`))
      .map((title) => `${file}: ${title}`);
  });
  expect(missing).toEqual([]);
});
