import { concat, map, Observable, type Subscription } from 'rxjs';
import {
  FencedError,
  fromTopics,
  transactional,
  type Kafka,
  type TransactionalOptions,
} from '../../../../src/index.js';
import { Severable } from '../../../support/severable.js';
import type { Simulation } from '../../../support/simulation.js';
import type { Settings } from './steps.js';

export const GROUP = 'copiers';
export const IN = 'in';
export const OUT = 'out';
export const TRANSACTION_TIMEOUT_MS = 10_000;
export const SESSION_TIMEOUT_MS = 10_000;

/** A member of the group that copies by transactions, in a process of its own as far as brokers can tell. */
export class Copier {
  /** What its stream has ended with, and should not. */
  readonly failures: unknown[] = [];
  /** How many of its next transactions fail when all of their records are written. */
  errors = 0;
  /** Transactions take no time. */
  isHurried = false;
  private kafka: Kafka | undefined;
  private wire: Severable | undefined;
  private subscription: Subscription | undefined;
  private transactions = 0;

  constructor(
    private readonly sim: Simulation,
    private readonly settings: Settings,
    private readonly name: string,
  ) {}

  get isIn(): boolean {
    return this.kafka !== undefined;
  }

  join(): void {
    if (this.isIn) return;
    const { sim, settings } = this;
    const { groupProtocol } = settings.line;
    this.wire = new Severable(sim.cluster.transport);
    const kafka = (this.kafka = sim.kafka({ requestTimeoutMs: 2000, transport: this.wire }));
    const session =
      groupProtocol === 'classic'
        ? { sessionTimeoutMs: SESSION_TIMEOUT_MS, heartbeatIntervalMs: 1000 }
        : {};
    this.subscription = fromTopics(kafka, IN, {
      groupId: GROUP,
      groupProtocol,
      isolationLevel: 'read_committed',
      autoOffsetReset: 'earliest',
      maxUnackedRecords: settings.window,
      drainTimeoutMs: 2000,
      ...session,
      ...(settings.line.ids === 'name' && { groupInstanceId: this.name }),
    })
      .pipe(
        transactional(kafka, this.options, (records) =>
          concat(
            records.pipe(
              map((record) => record.derive({ topic: OUT, partition: record.partition })),
            ),
            this.pause(),
          ),
        ),
      )
      .subscribe({
        error: (error: unknown) => {
          if (!this.isForeseen(error)) this.failures.push(error);
          this.kafka = undefined;
        },
      });
  }

  /** Unsubscribes: what is under way is aborted, or its commit is awaited. */
  async leave(): Promise<void> {
    const { kafka } = this;
    this.kafka = undefined;
    this.subscription?.unsubscribe();
    if (kafka !== undefined) await this.sim.run(kafka.close());
  }

  /** Finishes what is in hand. */
  async drain(): Promise<void> {
    const { kafka } = this;
    this.kafka = undefined;
    if (kafka !== undefined) await this.sim.run(kafka.drain());
  }

  /** Ends without a word. */
  async crash(): Promise<void> {
    const { kafka } = this;
    this.kafka = undefined;
    this.wire?.sever();
    this.subscription?.unsubscribe();
    if (kafka !== undefined) await this.sim.run(kafka.close({ timeoutMs: 0 }));
  }

  /** Being fenced, and what old brokers have no new epoch against (KIP-360). */
  private isForeseen(error: unknown): boolean {
    const isOld = this.settings.line.version === '1.1';
    return (
      error instanceof FencedError || (isOld && String(error).includes('no way to raise its epoch'))
    );
  }

  private get options(): TransactionalOptions<Buffer | null, Buffer | null> {
    const { maxRecords, maxWaitMs, lingerMs } = this.settings;
    return {
      ...this.identity,
      onAbort: 'retry',
      maxRecords,
      maxWaitMs,
      lingerMs,
      requestTimeoutMs: 2000,
      projectTimeoutMs: 5000,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    };
  }

  private get identity(): TransactionalOptions {
    const { name } = this;
    switch (this.settings.line.ids) {
      case 'one each':
        return { transactionalId: name };
      case 'one for all':
        return { transactionalId: 'copier' };
      case 'prefix':
        return { transactionalIdPrefix: name };
      case 'name':
        return { transactionalIdPrefix: 'copier', groupInstanceId: name };
      case 'side by side':
        return { transactionalIdPrefix: name, concurrency: 2 };
      case 'partition':
        return { transactionalIdPrefix: 'copier', transactionalIdPer: 'partition' };
    }
  }

  /** Transactions take a while, so that things happen to them. */
  private pause(): Observable<never> {
    const { paces } = this.settings;
    const ms = this.isHurried ? 0 : paces[this.transactions++ % paces.length]!;
    return new Observable((subscriber) =>
      this.sim.clock.schedule(ms, () => {
        if (this.errors === 0) subscriber.complete();
        else subscriber.error(new Error(`${this.errors--} to come`));
      }),
    );
  }
}
