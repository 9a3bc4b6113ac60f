import { apis, brokerError, type BrokerError } from '../protocol/index.js';
import type { Clock } from '../util/clock.js';
import { AuthorizationError, KafkaError } from '../util/errors.js';
import type { BrokerPool } from './broker-pool.js';
import type { Purpose } from './channel.js';
import { Coordinators, type CoordinatorKind } from './coordinators.js';
import type { MetadataKeeper } from './metadata-keeper.js';

/** Who is to answer a request. */
export type Route =
  | 'any'
  | 'controller'
  | { readonly node: number }
  | { readonly group: string }
  | { readonly transactionalId: string }
  | { readonly leader: { readonly topic: string; readonly partition: number } };

/** What bounds one attempt. */
export interface AttemptBounds {
  /** On the monotonic clock. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

const NONE = 0;
const COORDINATOR_NOT_AVAILABLE = 15;

/** Knows which broker is to answer what, and learns from those that say it isn't them. */
export class Routing {
  private readonly coordinators = new Coordinators((kind, key) => this.lookUp(kind, key));

  constructor(
    private readonly clock: Clock,
    private readonly requestTimeoutMs: number,
    private readonly pool: BrokerPool,
    private readonly keeper: MetadataKeeper,
  ) {}

  /** The broker that is to answer. @throws KafkaError that is retriable while nobody is known. */
  async resolve(route: Route, bounds: AttemptBounds): Promise<number> {
    if (route === 'any') return this.pool.any();
    if (route === 'controller') {
      if (this.keeper.updatedAt === undefined) await this.keeper.refresh(bounds);
      const { controllerId, brokers } = this.keeper.current;
      if (brokers.has(controllerId)) return controllerId;
      this.keeper.request();
      return this.pool.any();
    }
    if ('node' in route) {
      if (!this.keeper.current.brokers.has(route.node)) await this.keeper.refresh(bounds);
      return route.node;
    }
    if ('group' in route) return this.coordinators.find('group', route.group);
    if ('transactionalId' in route)
      return this.coordinators.find('transaction', route.transactionalId);
    const { topic, partition } = route.leader;
    const leader = this.keeper.topic(topic)?.partitions[partition]?.leader ?? -1;
    if (leader >= 0) return leader;
    this.keeper.request();
    throw new KafkaError(`${topic}-${partition} has no leader`, {
      code: 'LEADER_NOT_AVAILABLE',
      isRetriable: true,
    });
  }

  /** A broker has answered that it isn't the one, or that others are not known any more. */
  noteRefusal(route: Route, nodeId: number, { name, refreshesMetadata }: BrokerError): void {
    const isMoved = name === 'NOT_COORDINATOR' || name === 'COORDINATOR_NOT_AVAILABLE';
    if (isMoved) this.forgetCoordinator(route, nodeId);
    if (refreshesMetadata || name === 'NOT_CONTROLLER') this.keeper.request();
  }

  /** A broker could not be reached, or didn't answer. */
  noteUnreachable(route: Route, nodeId: number): void {
    this.forgetCoordinator(route, nodeId);
    if (route !== 'any') this.keeper.request();
  }

  /**
   * Looks the coordinator of a group or transactional id up anew: an answer said that it has moved.
   *
   * @param nodeId the broker that said so; default whichever is known.
   */
  forgetCoordinator(route: Route, nodeId?: number): void {
    if (typeof route === 'string') return;
    if ('group' in route) this.coordinators.forget('group', route.group, nodeId);
    if ('transactionalId' in route) {
      this.coordinators.forget('transaction', route.transactionalId, nodeId);
    }
  }

  private async lookUp(kind: CoordinatorKind, key: string): Promise<number> {
    const keyType = kind === 'group' ? 0 : 1;
    const channel = this.pool.channel(this.pool.any(), 'control');
    await channel.ready();
    const version = channel.version(apis.FindCoordinator);
    const isBatched = version >= 4;
    const answer = await channel.send(
      apis.FindCoordinator,
      version,
      isBatched ? { keyType, coordinatorKeys: [key] } : { keyType, key },
    );
    const found = isBatched ? answer.coordinators[0] : answer;
    const error = brokerError(found?.errorCode ?? COORDINATOR_NOT_AVAILABLE);
    if (error.code !== NONE || found === undefined) {
      const text = `Cannot find the coordinator of ${kind} '${key}': ${error.message}`;
      const context = kind === 'group' ? { groupId: key } : { transactionalId: key };
      const options = { code: error.name, isRetriable: error.isRetriable, context };
      throw error.isAuthorization
        ? new AuthorizationError(text, options)
        : new KafkaError(text, options);
    }
    if (!this.keeper.current.brokers.has(found.nodeId)) {
      const { clock, requestTimeoutMs } = this;
      await this.keeper.refresh({ deadline: clock.monotonic() + requestTimeoutMs });
    }
    return found.nodeId;
  }
}

/** Which connection a request takes by itself. */
export function purposeOf(route: Route): Purpose {
  if (typeof route === 'string') return 'control';
  return 'group' in route || 'transactionalId' in route ? 'coordinator' : 'control';
}
