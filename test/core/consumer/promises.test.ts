import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const TESTS = join(import.meta.dirname, '../..');

/** What is promised, and in which files the tests that would fail have which titles. */
type Promises = readonly (readonly [
  promise: string,
  proofs: Readonly<Record<string, readonly string[]>>,
])[];

const rules: Promises = [
  [
    '1: the oldest unacked record is committed; what holds none is passed when all before it is acked',
    {
      'core/consumer/ledger': [
        'commits the oldest unacked record, whatever newer ones are acked',
        'commits past markers and gaps only when nothing before them is unacked',
      ],
      'core/consumer/commits': ['goes past markers only when nothing before them is unacked'],
    },
  ],
  [
    '2: the window is a span, so that a record which is never acked stops its partition, and is named',
    {
      'core/consumer/bounded': [
        'holds delivery back by its span, so that one record that is never acked stops its partition only',
      ],
      'core/consumer/run/watchdog': [
        'is told where the window is full and its oldest record is not acked, with offset and age',
      ],
    },
  ],
  [
    '3: a stall is told by the watermark',
    {
      'core/consumer/run/watchdog': [
        'looks at the age of the watermark, never at acks: exhaustMap drops records while others are acked',
      ],
    },
  ],
  [
    '4: what begins elsewhere is a new epoch; fetches and acks of the old one count as nothing',
    {
      'core/consumer/epochs': [
        'counts acks of the one before as nothing',
        'is discarded when it comes, and the offset that was sought is fetched',
        'begins an epoch of its own: a partition that went away with a full window comes back with an empty one',
      ],
    },
  ],
  [
    '5: where a partition began is committed; what is added is read from its beginning',
    {
      'core/consumer/commits': [
        'the start is committed with the first commit, so that nobody skips by latest',
        'the start is committed when a partition is given up before that',
      ],
      'core/consumer/positions/positions': [
        'a partition that is added while its topic is subscribed',
      ],
      'operators/transactional': [
        'where nothing was committed, what a transaction took and gave back is not skipped by the next owner',
        'a partition that comes and goes between two transactions leaves where it began',
      ],
    },
  ],
  [
    '6: bytes gate fetches only, in fair shares, and come back with the last ack',
    {
      'core/consumer/fetching': [
        'gate fetches only: a batch that is there is opened though more is held than may be',
        'are a fair share for each broker: the long poll of an idle one leaves room for the others',
        'come back when the last record of their frame is acked, not before',
      ],
      'core/consumer/bounded': ['let a first batch pass that is larger than all of them'],
    },
  ],
  [
    '7: starved is who can get no more from any partition; the end of a topic counts for some only',
    {
      'core/consumer/run/starvation': [
        'when the windows of all its partitions are full',
        'not while one partition can bring more',
        'only for operators that can’t wait where what is not full is at the end of its log',
      ],
    },
  ],
  [
    '8: auto acks when the synchronous delivery returns, unless an operator took the record over',
    {
      'core/consumer/delivering/acks': [
        'is done when its delivery returns, whatever is done with it later',
        'is done by the operator that took it over, not when its delivery returns',
        'is done by nobody but who acks it, in a group',
      ],
    },
  ],
  [
    '9: what differs from Java is in one table; options that don’t fit the protocol fail, typed',
    {
      'core/consumer/options': ['tells the defaults that there are'],
      'core/group/group-member': [
        'auto takes the new one where the cluster has it, and says why',
        'one that was asked for and is not there is a typed error that names the option',
      ],
    },
  ],
  [
    '10: unsubscribing stops delivery at once, and the member stays until work in hand is done',
    {
      'core/consumer/leaving': [
        'stops delivery at once, and the member stays until work in hand is done',
        'waits no longer than drainTimeoutMs for records that nobody acks',
        'take(10) and asynchronous work after it, by stock operators: what was done is committed',
      ],
      'sources/from-topics': ['with abandonOnUnsubscribe it leaves at once'],
    },
  ],
  [
    '11: only what was started is awaited when partitions are given up, and callbacks up to the deadline',
    {
      'core/consumer/rebalance': [
        'is handed over without waiting for work that was not started: that is the next owner’s',
        'is waited for as long as work on it goes on, and its signal aborts only at the deadline',
      ],
      'core/consumer/user-callbacks': [
        'that never ends is given up at the deadline',
        'is waited for before anything is delivered, and no longer than drainTimeoutMs',
      ],
      'core/consumer/options': ['a drain longer than a rebalance'],
    },
  ],
  [
    '12: an error is told when the member has left',
    {
      'sources/from-topics': [
        'are told when the member has left, with what was acked committed',
        'retry() makes a new, clean member that goes on where the last one ended',
      ],
    },
  ],
  [
    '13: a pipeline that hangs holds no partitions; heartbeats go on; a blocked loop is warned of',
    {
      'core/consumer/run/watchdog': [
        'the member leaves, so that others get its partitions, and comes back with the first late ack (%s)',
        'the stream fails where the policy says so, when the member has left',
        'heartbeats have gone on until then',
        'is warned of when it was blocked for longer than heartbeats may take',
      ],
    },
  ],
  [
    '14: one commit is on the way at a time; offsets that a transaction has pending are waited for',
    {
      'core/consumer/commits': [
        'is on the way alone: the next one waits for it',
        'is waited for where a transaction has it pending',
      ],
    },
  ],
  [
    '15: drain() ends consumers first, then producers',
    {
      'core/consumer/leaving': [
        'of the client drains consumers first, then producers, so that what was made is written',
      ],
    },
  ],
  [
    '25: a range ends by position, under read_committed at the last stable offset',
    {
      'sources/from-offset-range': [
        'where the last offsets are markers of transactions',
        'under read_committed it ends before what is still open',
      ],
    },
  ],
  [
    '26: for await acks a record when the next is asked for',
    {
      'core/consumer/iterate': [
        'acks a record when the next is asked for, so that the last one of a break stays',
        'leaves the last record unacked when its body throws, and leaves the group',
        'a body may work on several records at once',
      ],
    },
  ],
  [
    '27: a partition’s stream that nobody takes blocks nobody else',
    {
      'sources/from-topics-by-partition': [
        'one that nobody subscribes to delivers nothing, and is not even fetched',
        'one that is unsubscribed early delivers nothing more, and leaves its rest uncommitted',
        'a slow one keeps no other waiting',
      ],
    },
  ],
  [
    '28: a record joins a transaction when all before it are done; transactions alone commit',
    {
      'operators/transactional': [
        'a record joins only when all before it in its partition are acked or in the transaction',
        'partitions are committed by transactions only, also at the end',
        'a plain commit that was on the way before the first record lands before what transactions store',
      ],
      'core/consumer/ledger': [
        'lets a record join only when all before it are acked, or part of it',
      ],
    },
  ],
  [
    '29: an id is taken over before anything is consumed',
    {
      'operators/transactional': ['the id is taken over before the upstream is subscribed'],
    },
  ],
  [
    '30: epochs are checked before the end; a commit that was sent is awaited',
    {
      'operators/transactional': [
        'records whose epoch ended before EndTxn are not committed; the rest is replayed',
        'once EndTxn(commit) is sent its outcome is awaited, whoever unsubscribes',
        'once EndTxn(commit) is sent no deadline aborts it, neither project’s nor that of a revoke',
      ],
    },
  ],
  [
    '31: a transaction has less time than the coordinator gives it, and is replayed after it',
    {
      'operators/transactional': [
        'transactionTimeoutMs must exceed maxWaitMs and the time allowed to project',
        'a transaction past its time aborts, and is replayed after a backoff',
      ],
    },
  ],
  [
    '32: an id belongs to one instance, and a transaction takes records of one group',
    {
      'operators/transactional': [
        'with a prefix each subscription has an id of its own',
        'takes records of one group: mixing is a typed error, and so is no group',
      ],
    },
  ],
  [
    '33: below Kafka 2.5 each partition needs an id',
    {
      'operators/transactional': [
        'below Kafka 2.5 it fails with an error that names transactionalIdPer',
        'with an id for each input partition it works there, through rebalances',
      ],
    },
  ],
  [
    '34: a timestamp beyond 2^53 makes nothing unreadable',
    { 'core/consumer/delivering/delivery': ['a timestamp beyond 2^53'] },
  ],
];

const complaints: Promises = [
  [
    'records come twice after a rebalance',
    {
      'core/consumer/rebalance': [
        'is handed over exactly where what was acked without a gap ends',
        'many rebalances in the middle of records lose and double none (%s)',
      ],
    },
  ],
  [
    'a partition stays paused for ever',
    {
      'core/consumer/rebalance': ['keeps nobody stuck after a rebalance (%s)'],
      'core/consumer/engine/engine.property': [
        'commits nothing past an unacked record, keeps within window and bytes, and never stays stuck',
      ],
    },
  ],
  [
    'what the user has paused is forgotten in a rebalance, or pauses others',
    {
      'core/consumer/rebalance': [
        'last over rebalances, and come to an end with a resume',
        'of one member say nothing to another',
      ],
    },
  ],
  [
    'memory grows with partitions and prefetching',
    {
      'core/consumer/bounded': [
        'stay within maxBufferedBytes and one batch a partition, though batches grow when they are opened',
      ],
      'core/consumer/fetching': ['don’t grow with the number of partitions'],
    },
  ],
  [
    'waiting for work in a rebalance hangs to the deadline where there is none, or its stream has failed',
    {
      'core/consumer/rebalance': [
        'is handed over at once where nothing of it was delivered',
        'is handed over at once when all that was delivered is acked',
        'is handed over at once where its stream has failed: nobody will ack more of it',
        'is handed over at once by a member whose whole stream has failed, the rest finished',
      ],
    },
  ],
  [
    'shutting down is slow, or loses what was done',
    {
      'core/consumer/leaving': [
        'finishes what was started, gives the rest back, commits, leaves, and says what was done',
        'waits for nothing where nothing is in hand',
      ],
    },
  ],
  [
    'a commit that fails kills the stream',
    {
      'core/consumer/commits': [
        'that fails with %s kills nothing: what it was about comes with the next',
      ],
    },
  ],
  [
    'what is done out of order is committed too early',
    {
      'core/consumer/ledger': ['commits the oldest unacked record, whatever newer ones are acked'],
    },
  ],
  [
    'streams of partitions are missing, or there twice, after a rebalance',
    {
      'sources/from-topics-by-partition': [
        'streams complete when partitions are given up, and none are out twice (%s)',
      ],
    },
  ],
  [
    'one partition that hangs keeps others waiting, and so does one key',
    {
      'operators/process-each': [
        'by key: one at a time of each key, in each partition; none counts as one',
        'a slow lane keeps no other waiting',
      ],
      'core/consumer/fetching': [
        'have no head-of-line blocking: one whose pipeline hangs keeps no other waiting',
      ],
    },
  ],
  [
    'a record waits for a poll that a pause has put off',
    {
      'core/consumer/fetching': [
        'wait on the broker, not in between: a paused partition takes up no connection, and is read at once when resumed',
        'of a broker are not held up by a paused partition of it',
      ],
    },
  ],
  [
    'exactly once: what is in hand in a rebalance comes twice',
    {
      'operators/transactional': [
        'on revoke the transaction in hand is finished before the partition is handed over',
        'on revoke what is not done by the deadline is aborted, and is the next owner’s',
        'abort the transaction that has records of them, and are the next owner’s',
      ],
    },
  ],
  [
    'take(n) ends before the last commit, also that of a transaction',
    {
      'core/consumer/leaving': [
        'take(10) and asynchronous work after it, by stock operators: what was done is committed',
      ],
      'sources/from-topics': ['take(10) after asynchronous work: what was done is committed'],
      'operators/transactional': [
        'take(n) ends after n transactions: nothing more counts',
        'once EndTxn(commit) is sent its outcome is awaited, whoever unsubscribes',
      ],
    },
  ],
  [
    'transactions are initialized late, while a predecessor’s is still open',
    {
      'operators/transactional': ['the id is taken over before the upstream is subscribed'],
      'core/producer/transactions/reduce': [
        'waits for a predecessor’s transaction to end, for as long as it takes',
      ],
    },
  ],
  [
    'a record that can’t be read or processed stops everything, or is lost',
    {
      'core/consumer/deserializers': [
        'that fails is passed over with an event under skip, and committed past',
        'that fails is not committed past before what comes before it is acked',
      ],
      'core/consumer/user-callbacks': [
        'a project that throws ends the stream; that record is not committed, those before it are',
      ],
    },
  ],
  [
    'the age of a record that can’t be processed is counted from when it was queued',
    {
      'core/consumer/delivering/delivery': [
        'is told as stalled by its age since delivery, however long it had waited to be delivered',
      ],
      'core/consumer/run/watchdog': [
        'counts from the delivery of a record, not from when it was fetched',
      ],
    },
  ],
  [
    'a sink is held up by metadata that nobody has',
    {
      'sinks/to-topic': ['holds no record for another topic up, and fails its own by the policy'],
    },
  ],
  [
    'a serializer that throws is not dealt with by the sink’s policy',
    {
      'sinks/to-topic': [
        'fails the stream by default, after what was accepted is finished',
        'takes the place of its receipt with onError emit',
        'becomes what a function makes of it',
        'because %s throws hurts no other',
      ],
    },
  ],
  [
    'acks that come after a revoke move what is the next owner’s',
    {
      'core/consumer/rebalance': [
        'has its late acks change nothing: its next owner decides',
        'is waited for as long as work on it goes on, and its signal aborts only at the deadline',
      ],
    },
  ],
  [
    'pausing back and forth costs most of the speed',
    {
      'core/consumer/fetching': [
        'makes fewer fetches, and no flapping: they don’t grow with its acks',
      ],
    },
  ],
  [
    'gaps cost the more the longer they are',
    {
      'core/consumer/ledger': [
        'takes acks in any order behind a missing one at the same small cost: not even half a million add up',
      ],
    },
  ],
];

/** The text of a test file, whatever kind of test it is. */
function textOf(file: string): string {
  const at = join(TESTS, `${file}.test.ts`);
  return readFileSync(at, 'utf8');
}

describe.each([
  ['rule', rules],
  ['complaint about other libraries', complaints],
] as const)('each %s that concerns consuming is a named test', (_title, promises) => {
  it.each(promises)('%s', (_promise, proofs) => {
    const missing = Object.entries(proofs).flatMap(([file, titles]) => {
      const text = textOf(file);
      return titles.filter((title) => !text.includes(`'${title}'`));
    });
    expect(missing).toEqual([]);
  });
});
