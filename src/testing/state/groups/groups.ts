import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import type { Coordinators } from '../coordinators.js';
import { Rejection } from '../rejection.js';
import type { Topic } from '../topic.js';
import { ClassicGroup } from './classic-group.js';
import { CommittedOffsets } from './committed-offsets.js';
import { ConsumerGroup } from './consumer-group.js';
import type { ConsumerHeartbeat, ConsumerVerdict } from './consumer-requests.js';
import type { Group } from './group.js';
import { canDowngrade, canUpgrade, downgrade, upgrade } from './migration.js';
import type { GroupSettings } from './settings.js';

/** All groups of a cluster with what they committed. Each is run by the broker it is hashed to. */
export class Groups {
  private readonly byId = new Map<string, Group>();
  private readonly offsets = new Map<string, CommittedOffsets>();
  private readonly zooKeeperOffsets = new Map<string, CommittedOffsets>();
  /** Which broker runs a group; those that none can run are missing. */
  private readonly hosts = new Map<string, number>();

  constructor(
    readonly settings: GroupSettings,
    private readonly coordinators: Coordinators,
    readonly clock: Clock,
    readonly topics: ReadonlyMap<string, Topic>,
  ) {}

  get(groupId: string): Group | undefined {
    return this.byId.get(groupId);
  }

  get all(): Group[] {
    return [...this.byId.values()];
  }

  /** Those that a broker coordinates. */
  on(brokerId: number): Group[] {
    return this.all.filter(({ id }) => this.coordinators.of(id) === brokerId);
  }

  /** @throws Rejection unless the broker coordinates the group. */
  checkCoordinator(groupId: string, brokerId: number): void {
    if (this.coordinators.of(groupId) === brokerId) return;
    throw new Rejection(Errors.NOT_COORDINATOR, 'This is not the correct coordinator.');
  }

  /**
   * The group that a member of the classic protocol joins: the one there is, or a new one, also in
   * place of an empty one of the other protocol.
   *
   * @throws Rejection when members of the other protocol are in it and migration is off.
   */
  forClassicMember(groupId: string): Group {
    const known = this.byId.get(groupId);
    if (known?.type === 'classic') return known;
    if (known?.isEmpty !== false) {
      return this.replace(new ClassicGroup(groupId, this.settings, this.clock));
    }
    if (this.settings.migrationPolicy !== 'disabled') return known;
    throw new Rejection(
      Errors.INCONSISTENT_GROUP_PROTOCOL,
      `Cannot join the consumer group ${groupId} with the classic protocol because the group ` +
        `migration is disabled.`,
    );
  }

  /** A new group that only keeps offsets, so far. */
  simple(groupId: string): ClassicGroup {
    return this.replace(new ClassicGroup(groupId, this.settings, this.clock));
  }

  /**
   * Has a member of a consumer group join, live on or leave. The first one founds the group, also in
   * place of a classic one that is empty or may be turned into one of its kind.
   *
   * @throws Rejection that tells the member what to do.
   */
  consumerHeartbeat(groupId: string, request: ConsumerHeartbeat): ConsumerVerdict {
    const known = this.byId.get(groupId);
    if (known?.type === 'consumer') return known.heartbeat(request);
    if (request.epoch !== 0 && known === undefined) throw noSuchGroup(groupId);
    const isFree = known === undefined || known.isEmpty;
    if (request.epoch !== 0 || (!isFree && !canUpgrade(known, this.settings.migrationPolicy))) {
      const message = `Group ${groupId} is not a consumer group.`;
      throw new Rejection(Errors.GROUP_ID_NOT_FOUND, message);
    }
    const { settings, clock, topics } = this;
    const group = new ConsumerGroup(groupId, settings, clock, topics, (g) => this.onRemoved(g));
    if (!isFree) upgrade(known, group, topics);
    const verdict = group.heartbeat(request);
    this.replace(group);
    return verdict;
  }

  /** What a group has committed; empty for one that there is not. */
  offsetsOf(groupId: string): CommittedOffsets {
    return getOrMake(this.offsets, groupId);
  }

  /** What version 0 of the requests commits and fetches: ZooKeeper kept it, apart from the rest. */
  zooKeeperOffsetsOf(groupId: string): CommittedOffsets {
    return getOrMake(this.zooKeeperOffsets, groupId);
  }

  /** @throws Rejection when there is no such group, or when it has members. */
  delete(groupId: string): void {
    const group = this.byId.get(groupId);
    if (group === undefined) throw noSuchGroup(groupId);
    if (!group.isEmpty) {
      throw new Rejection(Errors.NON_EMPTY_GROUP, `Group ${groupId} is not empty.`);
    }
    group.dissolve();
    this.byId.delete(groupId);
    this.offsets.delete(groupId);
    this.hosts.delete(groupId);
  }

  /** Committed offsets of a topic go with it. */
  topicDeleted(topic: string): void {
    for (const offsets of [...this.offsets.values(), ...this.zooKeeperOffsets.values()])
      offsets.deleteTopic(topic);
  }

  /** Brokers have started, stopped or swapped roles: groups move to those that run. */
  reassign(): void {
    for (const { id } of this.all) this.host(id);
  }

  /** A consumer group without members of its own protocol becomes a classic one. */
  private onRemoved(group: ConsumerGroup): boolean {
    if (!canDowngrade(group, this.settings.migrationPolicy)) return false;
    const classic = new ClassicGroup(group.id, this.settings, this.clock);
    downgrade(group, classic, this.topics);
    this.replace(classic);
    classic.rebalance();
    return true;
  }

  private replace<G extends Group>(group: G): G {
    this.byId.get(group.id)?.dissolve();
    this.byId.set(group.id, group);
    this.hosts.delete(group.id);
    this.host(group.id);
    return group;
  }

  private host(groupId: string): void {
    const group = this.byId.get(groupId)!;
    const host = this.coordinators.of(groupId);
    const former = this.hosts.get(groupId);
    if (host === former) return;
    if (former !== undefined) group.unload();
    if (host === undefined) {
      this.hosts.delete(groupId);
      return;
    }
    this.hosts.set(groupId, host);
    group.load();
  }
}

function getOrMake(all: Map<string, CommittedOffsets>, groupId: string): CommittedOffsets {
  let offsets = all.get(groupId);
  if (offsets === undefined) all.set(groupId, (offsets = new CommittedOffsets()));
  return offsets;
}

export function noSuchGroup(groupId: string): Rejection {
  return new Rejection(Errors.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`);
}
