import { type Subscription, tap, timer } from 'rxjs';
import { fromTopics, json, processEach, type Kafka } from '../src/index.js';
import type { Click } from './audit.js';

/** What the members of a group have done with a topic. */
export interface Work {
  /** How often each click was worked on, by user and number. */
  readonly done: ReadonlyMap<string, number>;
  /** Clicks that each member has worked on, by its name. */
  readonly byMember: ReadonlyMap<string, number>;
  /** Clicks of a user that came after a later one of that user. */
  readonly outOfOrder: number;
}

const WORK_MS = 1;
const CONCURRENCY = 200;

/** Members of one group that come and go, each with a pipeline of its own. */
export class Members implements Work {
  readonly done = new Map<string, number>();
  readonly byMember = new Map<string, number>();
  outOfOrder = 0;
  private readonly last = new Map<string, number>();
  private readonly working = new Map<string, Subscription>();

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly groupId: string,
    private readonly onError: (error: unknown) => void,
  ) {}

  get names(): string {
    return [...this.working.keys()].join(', ');
  }

  /** A member joins: it works on the clicks of different users side by side, on each user's in order. */
  join(name: string): void {
    this.byMember.set(name, 0);
    const clicks = fromTopics(this.kafka, this.topic, {
      groupId: this.groupId,
      autoOffsetReset: 'earliest',
      heartbeatIntervalMs: 300,
      groupProtocol: 'classic',
      valueDeserializer: json<Click>(),
    });
    const pipeline = clicks.pipe(
      processEach(({ value }) => timer(WORK_MS).pipe(tap(() => this.note(name, value))), {
        concurrency: CONCURRENCY,
        order: 'key',
      }),
    );
    this.working.set(name, pipeline.subscribe({ error: this.onError }));
  }

  /** A member leaves: it finishes what it has begun, and commits that. */
  leave(name: string): void {
    this.working.get(name)?.unsubscribe();
    this.working.delete(name);
  }

  leaveAll(): void {
    for (const name of [...this.working.keys()]) this.leave(name);
  }

  private note(name: string, { user, n }: Click): void {
    const id = `${user}/${n}`;
    const times = (this.done.get(id) ?? 0) + 1;
    this.done.set(id, times);
    this.byMember.set(name, (this.byMember.get(name) ?? 0) + 1);
    if (times === 1 && n < (this.last.get(user) ?? -1)) this.outOfOrder++;
    this.last.set(user, Math.max(n, this.last.get(user) ?? -1));
  }
}
