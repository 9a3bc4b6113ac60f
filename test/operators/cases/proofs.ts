/** What may become of a stream, and has to be tested of each operator and sink. */
export const cases = [
  'never',
  'empty',
  'one',
  'many',
  'error',
  'endless',
  'unsubscribed early',
  'callback throws',
  'synchronous',
  'asynchronous',
  'second subscriber',
  'rebalance',
  'commit fails',
  'leader moves',
] as const;

type Case = (typeof cases)[number];

/** Where a case is tested: by a title of the operator's own spec, or by one that all share. */
export type Proof =
  | string
  | { readonly shared: string }
  | { readonly inAGroup: string }
  /** It can't happen, and why. */
  | { readonly impossible: string };

type Proofs = Readonly<Record<Case, Proof>>;

const shared = (title: string) => ({ shared: title });
const impossible = (why: string) => ({ impossible: why });
const inAGroup = {
  inAGroup:
    '%s: all is acked and committed over a rebalance, a leader that moves, and commits that fail',
};

/** What `behavesLikeAnOperator` tests. */
const common = {
  never: shared('never: nothing comes, and unsubscribing ends it'),
  empty: shared('empty: completes'),
  one: shared('%s: nothing is left over when what has come out is acked'),
  many: shared('%s: nothing is left over when what has come out is acked'),
  error: shared('an error passes through, after %i records'),
  endless: shared(
    'endless and synchronous: ends where enough was taken, and what is left over goes back',
  ),
  'unsubscribed early': shared(
    'unsubscribing in the middle ends it, and what was not emitted goes back',
  ),
  synchronous: shared('asynchronous: the same comes out as of a synchronous one'),
  asynchronous: shared('asynchronous: the same comes out as of a synchronous one'),
  'second subscriber': shared(
    'is subscribed to once for each subscriber, with a state of their own',
  ),
  rebalance: shared(
    'takes a partition away in the middle of a record, and gives it back: all is done once',
  ),
  'commit fails': shared('fails to commit: that is made up for'),
  'leader moves': inAGroup,
} as const;

const takesNone = impossible('it takes no function');
const isNoOperator = impossible('it is asked of each failure, and subscribes to nothing');
const readsNoGroup = impossible('what it sends comes from no consumer of its own');

/** What every operator and sink is tested for. */
export const proofs: Readonly<Record<string, Proofs>> = {
  ackEach: { ...common, 'callback throws': 'a record whose acking throws ends the stream' },
  aggregateEach: {
    ...common,
    'callback throws': 'what the callbacks throw ends the stream, and all goes back',
    rebalance: 'lets go of what it has when its partition is given up',
  },
  batchEach: {
    ...common,
    'callback throws': 'what by throws ends the stream, and all goes back',
    rebalance: 'when its partition is being given up, and what is acked then is committed',
  },
  deadLetter: {
    never: 'it is nothing to one that does not fail: no letter, no wait',
    empty: isNoOperator,
    one: 'writes what failed as it was stored, with where it came from and why it failed',
    many: 'many letters at once find their way, through a buffer that is too small for them',
    error: 'a letter that can not be written ends the stream, and the record goes back',
    endless: isNoOperator,
    'unsubscribed early':
      'unsubscribed while a letter is on its way: the record goes back, or is acked if it is written',
    'callback throws': takesNone,
    synchronous: 'work that fails later becomes a letter as well as work that throws at once',
    asynchronous: 'work that fails later becomes a letter as well as work that throws at once',
    'second subscriber': isNoOperator,
    rebalance:
      'in a rebalance, a letter on its way is waited for, and what was not started is the next owner’s',
    'commit fails': inAGroup,
    'leader moves': inAGroup,
  },
  dedupeEach: {
    ...common,
    'callback throws': 'what by throws ends the stream, and the record goes back',
    rebalance: 'in a rebalance, what waits for a record in work is committed with it',
  },
  exhaustEach: {
    ...common,
    'callback throws': 'what the callbacks throw ends the stream, and the records go back',
    rebalance:
      'in a rebalance, work under way is finished, and what was skipped is committed with it',
  },
  fanOut: {
    ...common,
    'callback throws': 'a pipeline that throws when it is made ends the stream',
    rebalance:
      'in a rebalance, work that was started in any of them is finished, and the next owner goes on',
    'commit fails': 'a commit that fails is made up for',
  },
  filterEach: {
    ...common,
    'callback throws': 'a predicate that throws ends the stream; the record goes back',
  },
  flatMapEach: {
    ...common,
    'callback throws': 'what the callback throws, or its result errors with, ends the stream',
    rebalance: 'in a rebalance, a record whose results are not all acked is the next owner’s',
  },
  mapEach: {
    ...common,
    'callback throws': 'what the callback throws ends the stream, and the record goes back',
  },
  ofType: {
    never: 'never, empty and failing sources stay what they are',
    empty: 'never, empty and failing sources stay what they are',
    one: 'lets events of the given types through, in order',
    many: 'lets events of the given types through, in order',
    error: 'never, empty and failing sources stay what they are',
    endless: 'an endless, synchronous source ends where enough was taken',
    'unsubscribed early': 'unsubscribing ends the source',
    'callback throws': 'what is no event ends the stream',
    synchronous: 'lets events of the given types through, in order',
    asynchronous:
      'hears of a rebalance in the middle of a record, and of a commit that fails, when they happen',
    'second subscriber': 'is subscribed to once for each subscriber',
    rebalance:
      'hears of a rebalance in the middle of a record, and of a commit that fails, when they happen',
    'commit fails':
      'hears of a rebalance in the middle of a record, and of a commit that fails, when they happen',
    'leader moves': impossible('it lets events through, and no records'),
  },
  pauseWhile: {
    ...common,
    'callback throws': 'an error of what pauses it ends the stream, and what waits goes back',
    rebalance: 'in a rebalance, the next owner begins with what was waiting',
  },
  processEach: {
    ...common,
    'callback throws': 'what the callback throws ends the stream, and the record goes back',
    rebalance: 'records that were not started go back, and those in work are finished',
  },
  processPartitioned: {
    ...common,
    'callback throws': 'an error of a pipeline, or of who makes it, ends the stream and the others',
    rebalance: 'when its partition is given up, its pipeline lets go of what it holds back',
  },
  retryEach: {
    ...common,
    'callback throws': 'fails the stream when count is used up, and the record goes back',
    rebalance:
      'when its partition is given up, a record that waits goes back, and the next owner tries it',
  },
  retryTopics: {
    ...common,
    'callback throws':
      'what fails is tried again after each delay, and becomes a dead letter after the last',
    rebalance: 'loses nothing when members come and go while records wait',
  },
  sendAll: {
    never: 'ends a Readable that has nothing to give when it is unsubscribed',
    empty: 'completes where there is nothing',
    one: 'emits the receipt of a single record, then completes',
    many: 'writes everything that %s gives, in order',
    error: 'finishes what was taken when the source throws, then fails with that',
    endless: 'pulls no further than the buffer has room, and goes on when it has',
    'unsubscribed early':
      'ends its source at once when it is unsubscribed, and lets accepted records finish',
    'callback throws': 'ends its source when toRecord throws, and finishes what was taken',
    synchronous: 'writes everything that %s gives, in order',
    asynchronous: 'has a source that is asked later wait for nothing but room',
    'second subscriber': 'pulls anew for each subscriber',
    rebalance: readsNoGroup,
    'commit fails': readsNoGroup,
    'leader moves': readsNoGroup,
  },
  switchEach: {
    ...common,
    'callback throws': 'what the callback throws, or by, ends the stream, and the records go back',
    rebalance:
      'in a rebalance, work under way is finished, and what it superseded is committed with it',
  },
  tee: {
    ...common,
    'callback throws':
      'the side that throws when it is made ends the stream, and nothing is subscribed to',
    rebalance:
      'in a rebalance, work on the side that was started is finished, and the next owner goes on',
  },
  throttleBytes: { ...common, 'callback throws': takesNone },
  toCommit: {
    ...common,
    'callback throws': 'a record whose acking throws ends the stream',
    'commit fails': 'makes up for a commit that fails',
  },
  toTopic: {
    never: 'connects nothing and says nothing for a source that never emits',
    empty: 'completes with an empty source',
    one: 'emits the receipt of one record, with the record itself',
    many: 'writes many records of a %s source in order',
    error: 'finishes what it accepted when the source fails, then fails with that',
    endless: 'lets go of a source that emits for ever as it is subscribed to',
    'unsubscribed early':
      'unsubscribed, it takes no more, and what was accepted is acked when it is written',
    'callback throws': 'because the topic function throws hurts no other',
    synchronous: 'a synchronous source and one that comes later are written alike',
    asynchronous: 'a synchronous source and one that comes later are written alike',
    'second subscriber': 'is subscribed to once for each subscriber, who has all of it written',
    rebalance: 'in a rebalance, what is on its way is waited for, and committed with its partition',
    'commit fails': 'a commit that fails is made up for with the next',
    'leader moves': inAGroup,
  },
  toTopics: {
    never: 'never, and unsubscribed: nothing is connected',
    empty: 'empty: completes',
    one: 'a value that can’t become a record of one of its topics ends the stream',
    many: 'writes each value to its topics, with the serializers of each',
    error: 'an error of the source comes after what was accepted is finished',
    endless: 'a source that emits for ever as it is subscribed to ends with its subscriber',
    'unsubscribed early':
      'unsubscribed, it takes no more, and what was accepted is acked when all of its topics have it',
    'callback throws':
      'what route throws ends the stream, after what was accepted, and asks for no more',
    synchronous: 'writes each value to its topics, with the serializers of each',
    asynchronous: 'acks what a value was derived from when all of its topics have it',
    'second subscriber': 'is subscribed to once for each subscriber, who has all of it written',
    rebalance: inAGroup,
    'commit fails': inAGroup,
    'leader moves': inAGroup,
  },
  toTransaction: {
    never: 'never and empty: what the source does',
    empty: 'never and empty: what the source does',
    one: 'is subscribed to once for each subscriber',
    many: 'emits a receipt for each record that is written, and completes when all are',
    error: 'an error of the source comes after what was accepted is finished',
    endless: 'a source that emits for ever as it is subscribed to ends with the first failure',
    'unsubscribed early': 'unsubscribed, it takes no more, and what was accepted is written',
    'callback throws': 'a serializer that throws ends the stream, and its record comes again',
    synchronous: 'a synchronous source and one that comes later are written alike',
    asynchronous: 'a synchronous source and one that comes later are written alike',
    'second subscriber': 'is subscribed to once for each subscriber',
    rebalance: impossible('it writes; `transactional` reads'),
    'commit fails': impossible('it writes; `transactional` commits'),
    'leader moves': impossible('its transaction’s producer follows leaders'),
  },
  transactional: {
    never: 'completes at once where nothing came, and never where nothing ends',
    empty: 'completes at once where nothing came, and never where nothing ends',
    one: 'makes a transaction also of a single record',
    many: 'cuts at maxRecords, and what is left after maxWaitMs',
    error: 'passes an error of the source on, after it has aborted',
    endless: 'cuts when windows are full, however many records it would take',
    'unsubscribed early':
      'aborts what is under way when it is unsubscribed, and leaves the group soon',
    'callback throws': 'a project that throws is the same',
    synchronous: 'writes what came of the records and commits their offsets with it',
    asynchronous: 'lets project work asynchronously, with operators of both kinds, in any order',
    'second subscriber': 'with a prefix each subscription has an id of its own',
    rebalance: 'on revoke the transaction in hand is finished before the partition is handed over',
    'commit fails': 'a lost answer to EndTxn(commit) is asked for again, and counts once',
    'leader moves': inAGroup,
  },
  untilCaughtUp: {
    ...common,
    'callback throws': takesNone,
    rebalance: 'one that was revoked or lost is not waited for',
  },
  untilOffsets: { ...common, 'callback throws': takesNone },
  withLag: { ...common, 'callback throws': takesNone },
};
