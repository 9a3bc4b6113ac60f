import { expect } from 'vitest';
import { LogModel } from '../../../core/consumer/engine/log-model.js';
import { committed } from '../../../support/consuming.js';
import type { Simulation } from '../../../support/simulation.js';
import { upTo } from '../../../support/watching.js';
import { Copier, GROUP, IN, OUT, SESSION_TIMEOUT_MS, TRANSACTION_TIMEOUT_MS } from './copier.js';
import { MEMBERS, PARTITIONS, refusals, type Settings, type Step } from './steps.js';

/** A cluster, the members that copy within it, and what must hold whatever befalls them. */
export class World {
  readonly logs: readonly LogModel[];
  private lastId = 0;
  private readonly copiers: readonly Copier[];
  /** Logs of which something was lost, while what is committed may be beyond. */
  private readonly shaken = new Set<number>();
  private stopped: number | undefined;

  constructor(
    private readonly sim: Simulation,
    private readonly settings: Settings,
  ) {
    const nextId = () => ++this.lastId;
    this.logs = upTo(PARTITIONS).map((each) => new LogModel(sim, IN, each, nextId));
    this.copiers = upTo(MEMBERS).map((each) => new Copier(sim, settings, `copier-${each}`));
  }

  async perform(step: Step): Promise<void> {
    const { sim } = this;
    const { cluster } = sim;
    const copier = 'who' in step ? this.copiers[step.who]! : this.copiers[0]!;
    switch (step.do) {
      case 'produce':
        this.logs[step.partition]!.write({ count: step.count, isPacked: false });
        break;
      case 'transact':
        this.logs[step.partition]!.transact(step.batches);
        break;
      case 'join':
        copier.join();
        break;
      case 'leave':
        await copier.leave();
        break;
      case 'drain':
        await copier.drain();
        break;
      case 'crash':
        await copier.crash();
        break;
      case 'err':
        copier.errors++;
        break;
      case 'expire': {
        const members = cluster.inspect().groups[GROUP]?.members ?? [];
        const member = members[step.who % Math.max(1, members.length)];
        if (member !== undefined) cluster.expireMember(GROUP, member.memberId);
        break;
      }
      case 'refuse': {
        const errors: readonly string[] = refusals[step.api];
        cluster.failNext(step.api, errors[step.pick % errors.length]!, step.times);
        break;
      }
      case 'lose':
        cluster.drop(step.api, step.times, { when: step.when });
        break;
      case 'slow':
        cluster.delay(step.api, step.ms);
        break;
      case 'calm':
        cluster.clearFaults();
        break;
      case 'moveLeader':
        if (step.broker !== this.stopped) {
          cluster.moveLeader(step.topic, step.partition, step.broker);
        }
        break;
      case 'moveCoordinator': {
        const key = step.of === MEMBERS ? GROUP : `copier-${step.of}`;
        if (step.broker !== this.stopped) cluster.moveCoordinator(key, step.broker);
        break;
      }
      case 'stop':
        if (this.stopped === undefined) await cluster.stop((this.stopped = step.broker));
        break;
      case 'start':
        await this.start();
        break;
      case 'truncate':
        if (this.settings.line.version !== '1.1')
          this.truncate(step.partition, step.lost, step.written);
        break;
      case 'wait':
        await sim.advance(step.ms);
        break;
      case 'audit':
        await this.audit();
        break;
      case 'settle':
        await this.settle();
    }
    await sim.advance(0);
    this.check();
  }

  /** After everybody has vanished, what is committed is what is copied. */
  private async audit(): Promise<void> {
    for (const copier of this.copiers) await copier.crash();
    await this.calmDown();
    for (const partition of upTo(PARTITIONS)) {
      if (this.shaken.has(partition)) continue;
      const log = this.logs[partition]!;
      const offset = this.committedOf(partition);
      const copied = new Set(this.copied(partition));
      const isCopied = ({ id }: { id: number }) => copied.has(id);
      const missing = log.between(0, offset, true).filter((record) => !isCopied(record));
      const early = log.between(offset, log.end, true).filter(isCopied);
      expect({ partition, offset, missing, early }).toMatchObject({ missing: [], early: [] });
    }
  }

  /** Where nothing more befalls them, all there is comes to be copied. */
  async settle(): Promise<void> {
    const { sim } = this;
    sim.cluster.clearFaults();
    await this.start();
    for (const log of this.logs) log.endTransactions();
    for (const copier of this.copiers) copier.isHurried = true;
    for (let waited = 0; waited < 180 && !this.isThrough; waited++) {
      if (!this.copiers.some(({ isIn }) => isIn)) this.copiers[0]!.join();
      await sim.advance(1000);
    }
    const state = upTo(PARTITIONS).map((each) => ({
      committed: this.committedOf(each),
      end: this.logs[each]!.end,
      missing: this.missing(each),
    }));
    expect({ isThrough: this.isThrough, state }).toEqual({ isThrough: true, state });
    for (const copier of this.copiers) copier.isHurried = false;
    for (const each of this.shaken) {
      if (this.committedOf(each) <= this.logs[each]!.end) this.shaken.delete(each);
    }
  }

  private check(): void {
    for (const copier of this.copiers) expect(copier.failures).toEqual([]);
    for (const partition of upTo(PARTITIONS)) {
      const copied = this.copied(partition);
      const inOrder = [...new Set(copied)].sort((a, b) => a - b);
      expect({ partition, copied }).toEqual({ partition, copied: inOrder });
      const forbidden = copied.filter((id) => !this.logs[partition]!.mayBeShown(id));
      expect({ partition, forbidden }).toEqual({ partition, forbidden: [] });
    }
  }

  /** Until what was left open is aborted. */
  private async calmDown(): Promise<void> {
    this.sim.cluster.clearFaults();
    await this.start();
    await this.sim.advance(2 * TRANSACTION_TIMEOUT_MS + SESSION_TIMEOUT_MS);
  }

  private async start(): Promise<void> {
    if (this.stopped !== undefined) await this.sim.cluster.start(this.stopped);
    this.stopped = undefined;
  }

  private get isThrough(): boolean {
    return upTo(PARTITIONS).every((each) => {
      const { end } = this.logs[each]!;
      const left = this.logs[each]!.between(this.committedOf(each), end, true);
      return left.length === 0 && this.missing(each).length === 0;
    });
  }

  private missing(partition: number): number[] {
    const log = this.logs[partition]!;
    const copied = new Set(this.copied(partition));
    const ids = log.between(0, log.end, true).map(({ id }) => id);
    return ids.filter((id) => !copied.has(id));
  }

  /** What `read_committed` sees, by the numbers that records bear. */
  private copied(partition: number): number[] {
    return this.sim.cluster
      .committedRecords(OUT, partition)
      .map(({ value }) => Number(String(value)));
  }

  private committedOf(partition: number): number {
    return committed(this.sim.cluster, GROUP, IN, partition) ?? 0;
  }

  private truncate(partition: number, lost: number, written: number): void {
    this.logs[partition]!.lose(lost, written);
    this.shaken.add(partition);
  }
}
