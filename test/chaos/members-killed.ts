import { interval, map, mergeMap, range, Subject, takeUntil } from 'rxjs';
import {
  createKafka,
  toTopic,
  type BuiltInAssignor,
  type ConsumerOptions,
  type Kafka,
} from '../../src/index.js';
import { waitUntil } from '../support/kafka/readiness.js';
import { audit, type Place } from './audit.js';
import { Dice } from './dice.js';
import { Member } from './member.js';
import type { MemberTask } from './programs/member.js';

const MEMBERS = 3;
/** How members end. */
const ways = ['kill', 'leave'] as const;
const TICK_MS = 20;
const RECORDS_A_TICK = 10;
const KEYS = 50;
const PATIENCE_MS = 90_000;
/** A dead member is missed after so long. */
const SESSION_TIMEOUT_MS = 6000;
const HEARTBEAT_MS = 500;

export interface MembersChaosOptions {
  readonly bootstrapServers: string;
  /** A topic of its own. */
  readonly topic: string;
  readonly groupProtocol: 'classic' | 'consumer';
  /** Of a classic group; the seed picks one otherwise. */
  readonly assignor?: BuiltInAssignor | undefined;
  readonly seed: number;
  /** How many members are killed or leave, one after the other. */
  readonly rounds: number;
  readonly tell: (line: string) => void;
}

export interface MembersChaosReport {
  readonly written: number;
  readonly killed: number;
  readonly left: number;
  /** Records that were worked on again after a member had been killed. */
  readonly repeated: number;
  readonly complaints: readonly string[];
}

/** Properties of a broker that notices soon when a member is dead. */
export const alertBroker = {
  'group.consumer.session.timeout.ms': SESSION_TIMEOUT_MS,
  'group.consumer.min.session.timeout.ms': SESSION_TIMEOUT_MS,
  'group.consumer.heartbeat.interval.ms': HEARTBEAT_MS,
  'group.consumer.min.heartbeat.interval.ms': HEARTBEAT_MS,
};

/**
 * Lets members of a group come, be killed and leave in order while records are written, and audits what
 * they have told of each record.
 */
export async function killMembers(options: MembersChaosOptions): Promise<MembersChaosReport> {
  const { bootstrapServers, topic, seed, rounds, groupProtocol } = options;
  const tell = (line: string) => options.tell(`${groupProtocol}: ${line}`);
  tell(`seed ${seed}`);
  const dice = new Dice(seed);
  await using kafka = createKafka({ bootstrapServers });
  const writer = new Writer(kafka, topic);
  const memberOptions = optionsOf(options, dice);
  tell(JSON.stringify(memberOptions));
  await using crowd = new Crowd({ bootstrapServers, topic, options: memberOptions }, dice);
  for (let i = 0; i < MEMBERS; i++) crowd.enter();
  await crowd.complete(writer);
  await crowd.progress(writer, 500);
  for (let round = 0; round < rounds; round++) {
    // Both have to be seen.
    const end = ways[round] ?? dice.pick(ways);
    const [leaving] = crowd.present.splice(dice.below(crowd.present.length), 1);
    tell(`${leaving!.name} is to ${end === 'kill' ? 'be killed' : 'leave'}`);
    const ending = leaving![end]();
    if (dice.next() < 0.5) await ending;
    crowd.enter();
    await ending;
    // The next one may be struck in the middle of the rebalance.
    if (dice.next() < 0.5) await crowd.complete(writer);
    await crowd.progress(writer, 200 + dice.below(1500));
  }
  await writer.stop();
  await crowd.finish(writer);
  for (const member of crowd.present.splice(0)) await member.leave();
  const { complaints, repeated } = audit(writer.written, crowd.everybody);
  return {
    written: writer.written.length,
    killed: crowd.everybody.filter(({ fate }) => fate === 'killed').length,
    left: crowd.everybody.filter(({ fate }) => fate === 'left').length,
    repeated,
    complaints: [...crowd.everybody.flatMap(({ misdeeds }) => misdeeds), ...complaints],
  };
}

function optionsOf(
  { topic, groupProtocol, assignor }: MembersChaosOptions,
  dice: Dice,
): ConsumerOptions {
  const all = { groupId: `${topic}-group`, groupProtocol, autoCommitIntervalMs: 500 };
  if (groupProtocol === 'consumer') return all;
  return {
    ...all,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: HEARTBEAT_MS,
    partitionAssignmentStrategy: [assignor ?? dice.pick(['range', 'cooperative-sticky'])],
  };
}

/** Those who are, and were, in the group. */
class Crowd implements AsyncDisposable {
  readonly present: Member[] = [];
  readonly everybody: Member[] = [];

  constructor(
    private readonly task: Omit<MemberTask, 'seed'>,
    private readonly dice: Dice,
  ) {}

  enter(): void {
    const name = `member ${this.everybody.length + 1}`;
    const member = new Member(name, { ...this.task, seed: this.dice.below(2 ** 31) });
    this.present.push(member);
    this.everybody.push(member);
  }

  /** Waits until each member has something to do. */
  async complete(writer: Writer): Promise<void> {
    await this.until(writer, () => this.present.every(({ hasJoined }) => hasJoined));
  }

  /** Waits until so many more records are finished. */
  async progress(writer: Writer, records: number): Promise<void> {
    const enough = this.finished + records;
    await this.until(writer, () => this.finished >= enough);
  }

  /** Waits until each record was finished by somebody. */
  async finish(writer: Writer): Promise<void> {
    await this.until(writer, () => this.unfinished(writer.written) === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.present.map((member) => member[Symbol.asyncDispose]()));
  }

  private get finished(): number {
    return this.everybody.reduce((total, { finished }) => total + finished.length, 0);
  }

  private unfinished(written: readonly Place[]): number {
    const finished = new Set(
      this.everybody.flatMap((member) =>
        member.finished.map((place) => `${place.partition}/${place.offset}`),
      ),
    );
    return written.filter(({ partition, offset }) => !finished.has(`${partition}/${offset}`))
      .length;
  }

  private until(writer: Writer, holds: () => boolean): Promise<void> {
    return waitUntil(
      holds,
      PATIENCE_MS,
      () =>
        `${this.unfinished(writer.written)} of ${writer.written.length} records are unfinished; ` +
        this.everybody.flatMap(({ misdeeds }) => misdeeds).join('; '),
    );
  }
}

/** Writes keyed records at a steady pace, and knows where each of them is. */
class Writer {
  readonly written: Place[] = [];
  private readonly stopped = new Subject<void>();
  private readonly done: Promise<void>;

  constructor(kafka: Kafka, topic: string) {
    const items = interval(TICK_MS).pipe(
      takeUntil(this.stopped),
      mergeMap((tick) => range(tick * RECORDS_A_TICK, RECORDS_A_TICK)),
      map((i) => ({ key: `key ${i % KEYS}`, value: String(i) })),
      toTopic(kafka, topic),
    );
    this.done = new Promise((resolve, reject) => {
      items.subscribe({
        next: ({ partition, offset }) => this.written.push({ partition, offset }),
        error: reject,
        complete: resolve,
      });
    });
  }

  /** Writes no more, and waits until all that was written is acknowledged. */
  async stop(): Promise<void> {
    this.stopped.next();
    await this.done;
  }
}
