/**
 * A stream written to Kafka and worked on by the members of a group, while the cluster is shaken:
 * three brokers inside this process, `toTopic` and `processEach` at work, a leader moved, a broker
 * stopped and started again, one member joining and another leaving. At the end the log is compared
 * with the receipts, and the work with the log. Ctrl-C ends it early, and cleanly.
 *
 *     npm run demo [-- --seconds 10 --rate 5000]
 *     npm run demo -- --bootstrap-servers localhost:9092     # on a real cluster, which is not shaken
 */
import { parseArgs } from 'node:util';
import {
  concatMap,
  filter,
  firstValueFrom,
  interval,
  map,
  merge,
  range,
  Subject,
  takeUntil,
  takeWhile,
  timeout,
  timer,
} from 'rxjs';
import { createKafka, json, toTopic, type Kafka, type LifecycleEvent } from '../src/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../src/testing/index.js';
import { audit, type Acknowledged, type Click } from './audit.js';
import { Members, type Work } from './members.js';
import { bold, dim, openTerminal } from './terminal.js';

const { values } = parseArgs({
  options: {
    'bootstrap-servers': { type: 'string' },
    topic: { type: 'string', default: 'rx-kafka-demo' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '5000' },
  },
});
const { topic } = values;
const seconds = Number(values.seconds);
const rate = Number(values.rate);

const TICK_MS = 20;
const USERS = 50;
const CATCH_UP_MS = 30_000;
const terminal = openTerminal();
const stop = new Subject<string>();
const counters = { sent: 0, retried: 0, rebalances: 0 };
const receipts: Acknowledged[] = [];

/** Clicks of users in turn, each user's numbered from 0 on, at a steady rate. */
function clicks() {
  const perTick = Math.max(1, Math.round((rate * TICK_MS) / 1000));
  return interval(TICK_MS).pipe(
    takeWhile((tick) => tick < (seconds * 1000) / TICK_MS),
    concatMap((tick) => range(tick * perTick, perTick)),
    map((i): Click => ({ user: `user-${i % USERS}`, n: Math.floor(i / USERS) })),
    takeUntil(stop),
  );
}

/** Writes the clicks and collects the receipts. */
function produce(kafka: Kafka): Promise<void> {
  return new Promise((resolve, reject) => {
    clicks()
      .pipe(
        map((click) => {
          counters.sent++;
          return { key: click.user, value: click };
        }),
        toTopic(kafka, topic, {
          valueSerializer: json(),
          compressionType: 'lz4',
          deliveryTimeoutMs: 30_000,
          requestTimeoutMs: 5000,
        }),
      )
      .subscribe({
        next: ({ partition, offset, origin }) =>
          receipts.push({ ...origin.value, partition, offset }),
        error: reject,
        complete: resolve,
      });
  });
}

/** What is done to the cluster while records flow, at shares of the time. */
function shake(cluster: EmbeddedKafka) {
  const leaderOf = (partition: number) =>
    cluster.inspect().topics[topic]!.partitions[partition]!.leader;
  const acts: readonly (readonly [number, () => string | Promise<string>])[] = [
    [
      0.25,
      () => {
        const from = leaderOf(0);
        const to = (from % 3) + 1;
        cluster.moveLeader(topic, 0, to);
        return `the leader of ${topic}-0 moves from broker ${from} to broker ${to}`;
      },
    ],
    [
      0.4,
      () => {
        cluster.drop('Produce', 1, { when: 'after' });
        return 'one answer gets lost, after its records were written';
      },
    ],
    [0.55, () => cluster.stop(3).then(() => 'broker 3 stops; others lead what it led')],
    [0.8, () => cluster.start(3).then(() => 'broker 3 is back')],
  ];
  return merge(
    ...acts.map(([share, act]) => timer(share * seconds * 1000).pipe(concatMap(async () => act()))),
  )
    .pipe(takeUntil(stop))
    .subscribe((what) => terminal.say(bold(`   >> ${what}`)));
}

/** One line for what is worth one. */
function lineOf(event: LifecycleEvent): string | undefined {
  switch (event.type) {
    case 'connected':
      return `connected to ${event.broker} (${event.purpose})`;
    case 'disconnected':
      return `disconnected from ${event.broker} (${event.purpose}): ${event.reason}`;
    case 'retried':
      return `retried ${event.records} records of ${event.topic}-${event.partition}: ${event.reason}`;
    case 'assigned':
      return `assigned ${namesOf(event.partitions)}`;
    case 'revoked':
    case 'lost':
      return `${event.type} ${namesOf(event.partitions)}, ${event.recordsAbandoned} records in hand`;
    case 'drained':
      return `left the group: ${event.recordsFinished} finished, ${event.recordsAbandoned} not`;
    case 'commit-failed':
      return `a commit failed: ${event.error.message}`;
    case 'metadata-changed':
      return `metadata changed: ${[...new Set(event.changes.map(({ type }) => type))].join(', ')}`;
    case 'warning':
      return `warning ${event.code}: ${event.message}`;
    default:
      return undefined;
  }
}

function namesOf(partitions: readonly { topic: string; partition: number }[]): string {
  return partitions.length === 0 ? 'nothing' : partitions.map((p) => p.partition).join(', ');
}

function watch(kafka: Kafka): void {
  kafka.lifecycle.subscribe((event) => {
    if (event.type === 'retried') counters.retried += event.records;
    if (event.type === 'assigned' && event.partitions.length > 0) counters.rebalances++;
    const line = lineOf(event);
    if (line !== undefined) terminal.say(dim(`   ${line}`));
  });
}

function count(members: Members): void {
  const { sent, retried } = counters;
  const told = receipts.length;
  const done = members.done.size;
  terminal.update(
    `   sent ${sent}   acknowledged ${told}   retried ${retried}   worked on ${done}   ` +
      `lag ${Math.max(0, told - done)}   members ${members.names}`,
  );
}

/** Members come and go while records flow. */
function comeAndGo(members: Members) {
  members.join('anna');
  members.join('bert');
  const acts: readonly (readonly [number, string, () => void])[] = [
    [0.35, 'carl joins the group', () => members.join('carl')],
    [0.65, 'anna leaves the group', () => members.leave('anna')],
  ];
  return merge(...acts.map((act) => timer(act[0] * seconds * 1000).pipe(map(() => act))))
    .pipe(takeUntil(stop))
    .subscribe(([, what, act]) => {
      terminal.say(bold(`   >> ${what}`));
      act();
    });
}

/** Waits until all that was acknowledged was worked on. */
async function catchUp(members: Members): Promise<void> {
  const isDone = () => receipts.every(({ user, n }) => members.done.has(`${user}/${n}`));
  await firstValueFrom(interval(50).pipe(filter(isDone), timeout(CATCH_UP_MS)));
}

/** Compares the work with what was acknowledged, and says so. */
function judgeWork({ done, byMember, outOfOrder }: Work): boolean {
  const lost = receipts.filter(({ user, n }) => !done.has(`${user}/${n}`)).length;
  const again = [...done.values()].reduce((sum, times) => sum + times - 1, 0);
  const shares = [...byMember].map(([name, clicks]) => `${name} ${clicks}`).join(', ');
  terminal.say(`   worked on       ${done.size} (${shares})`);
  terminal.say(`   lost            ${lost}`);
  terminal.say(`   worked on again ${again}`);
  terminal.say(`   out of order    ${outOfOrder}`);
  const isSound = lost + outOfOrder === 0;
  const verdict = isSound
    ? `Every record was worked on, each user's in order, through ${counters.rebalances} assignments.`
    : 'Records were lost or out of order.';
  terminal.say(bold(verdict));
  return isSound;
}

/** Compares the log with the receipts, and says so. */
function judge(cluster: EmbeddedKafka): boolean {
  const { stored, missing, twice, misplaced, outOfOrder } = audit(cluster.records(topic), receipts);
  terminal.say(`   in the log      ${stored}`);
  terminal.say(`   missing         ${missing}`);
  terminal.say(`   there twice     ${twice}`);
  terminal.say(`   elsewhere       ${misplaced}`);
  terminal.say(`   out of order    ${outOfOrder}`);
  const isSound = missing + twice + misplaced + outOfOrder === 0;
  terminal.say(
    bold(
      isSound
        ? 'Every acknowledged record is there, once and in order.'
        : 'The log is not what was acknowledged.',
    ),
  );
  return isSound;
}

async function main(): Promise<void> {
  const given = values['bootstrap-servers'];
  const cluster =
    given === undefined
      ? await startEmbeddedKafka({
          brokers: 3,
          minInsyncReplicas: 2,
          topics: { [topic]: { partitions: 6, replicationFactor: 3 } },
        })
      : undefined;
  const bootstrapServers = given ?? cluster!.bootstrapServers;
  const kafka = createKafka({ bootstrapServers, clientId: 'rx-kafka-demo' });
  process.once('SIGINT', () => stop.next('Ctrl-C'));
  stop.subscribe((why) => terminal.say(`   ${why}: what was sent is finished first`));
  watch(kafka);
  const where =
    cluster === undefined ? bootstrapServers : `three brokers in here, ${bootstrapServers}`;
  terminal.say(bold(`Writing to ${topic} on ${where}; Ctrl-C stops`));
  const members = new Members(kafka, topic, `rx-kafka-demo-${process.pid}`, (error) => {
    terminal.say(bold(`   a member failed: ${String(error)}`));
    process.exitCode = 1;
  });
  const meanwhile = interval(100).subscribe(() => count(members));
  meanwhile.add(comeAndGo(members));
  if (cluster !== undefined) meanwhile.add(shake(cluster));
  try {
    await produce(kafka);
    await catchUp(members);
    meanwhile.unsubscribe();
    count(members);
    members.leaveAll();
    await kafka.drain();
    terminal.say(bold('\nSummary'));
    terminal.say(`   sent            ${counters.sent}`);
    terminal.say(`   acknowledged    ${receipts.length}`);
    if (cluster !== undefined && !judge(cluster)) process.exitCode = 1;
    if (!judgeWork(members)) process.exitCode = 1;
  } finally {
    meanwhile.unsubscribe();
    await kafka.close();
    await cluster?.close();
  }
}

await main();
