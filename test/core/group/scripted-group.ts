import type { Transport } from '../../../src/core/network/index.js';
import { apis, findApi, peekRequest, type ApiName } from '../../../src/core/protocol/index.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { MemoryTransport, type MemoryLink } from '../../support/memory-transport.js';
import type { Reply, ScriptedRequest } from '../../support/scripted-broker.js';

export interface Asked {
  readonly name: string;
  readonly version: number;
  readonly body: Record<string, unknown>;
}

type Answerer = object | 'hold' | ((request: ScriptedRequest) => object | 'hold');

/** The versions of 4.3, of what a group needs. */
const modern: Readonly<Record<string, readonly [number, number]>> = {
  Metadata: [0, 13],
  FindCoordinator: [0, 6],
  JoinGroup: [0, 9],
  SyncGroup: [0, 5],
  Heartbeat: [0, 4],
  LeaveGroup: [0, 5],
  ApiVersions: [0, 4],
  ConsumerGroupHeartbeat: [0, 1],
};

/**
 * One broker that plays the coordinator of a group with a single member, on time that the test moves.
 * What it answers can be replaced, or held back and given later.
 */
export class ScriptedGroup {
  readonly clock: FakeClock;
  readonly asked: Asked[] = [];
  readonly topics = new Map<string, number>([['orders', 2]]);
  private readonly answers = new Map<string, Answerer>();
  private readonly memory: MemoryTransport;
  private generationId = 0;

  constructor(
    private readonly versions: Readonly<Record<string, readonly [number, number]>> = modern,
    private readonly features: Readonly<Record<string, number>> = {},
    clock = new FakeClock(),
  ) {
    this.clock = clock;
    this.memory = new MemoryTransport((request) => this.reply(request));
  }

  get transport(): Transport {
    return this.memory;
  }

  /** From now on answers so. `hold` answers nothing until {@link ScriptedGroup.release}. */
  answer(name: ApiName, answerer: Answerer): void {
    this.answers.set(name, answerer);
  }

  /** Answers as at the beginning again. */
  reset(name: ApiName): void {
    this.answers.delete(name);
  }

  /** Answers the last request of a kind, which was held back. */
  release(name: ApiName, body: object): void {
    const { link, index } = this.find(name);
    link.answer(index, apis[name], body);
  }

  /** The connection on which something was asked last. */
  linkOf(name: ApiName): MemoryLink {
    return this.find(name).link;
  }

  count(name: ApiName): number {
    return this.asked.filter((each) => each.name === name).length;
  }

  last(name: ApiName): Asked {
    const found = this.asked.findLast((each) => each.name === name);
    if (found === undefined) throw new Error(`${name} was never asked`);
    return found;
  }

  /** Moves time on, a little at a time, and lets everything happen that can. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.advance(Math.min(50, left));
      await settled();
      await settled();
    }
  }

  async until(isTrue: () => boolean, limitMs = 120_000): Promise<void> {
    for (let waited = 0; !isTrue(); waited += 50) {
      if (waited > limitMs) throw new Error(`it did not happen; asked: ${this.summary()}`);
      await this.advance(50);
    }
  }

  private summary(): string {
    return this.asked.map(({ name, version }) => `${name}@${version}`).join(', ');
  }

  private find(name: ApiName): { link: MemoryLink; index: number } {
    for (const link of [...this.memory.links].reverse()) {
      const index = link.requests.findLastIndex(
        (request) => findApi(peekRequest(request).apiKey)?.name === name,
      );
      if (index >= 0) return { link, index };
    }
    throw new Error(`${name} was never asked`);
  }

  private reply(request: ScriptedRequest): Reply {
    const { name, version, body } = request;
    this.asked.push({ name, version, body });
    const given = this.answers.get(name);
    const answer =
      typeof given === 'function'
        ? (given as (r: ScriptedRequest) => object | 'hold')(request)
        : given;
    if (answer === 'hold') return 'say nothing';
    return { body: answer ?? this.usual(request) };
  }

  private usual({ name, version, body }: ScriptedRequest): object {
    switch (name as ApiName) {
      case 'ApiVersions':
        return this.apiVersions();
      case 'FindCoordinator': {
        const node = { nodeId: 1, host: 'b', port: 9092, errorCode: 0 };
        return version >= 4 ? { coordinators: [{ ...node, key: 'group' }] } : node;
      }
      case 'Metadata':
        return this.metadata(body);
      case 'JoinGroup':
        return this.joined(body);
      case 'SyncGroup':
        return this.synced(body);
      case 'LeaveGroup':
        return { errorCode: 0, members: [] };
      default:
        return { errorCode: 0 };
    }
  }

  private apiVersions(): object {
    const apiKeys = Object.entries(this.versions).map(([name, [minVersion, maxVersion]]) => ({
      apiKey: apis[name as ApiName].key,
      minVersion,
      maxVersion,
    }));
    const finalizedFeatures = Object.entries(this.features).map(([name, level]) => ({
      name,
      maxVersionLevel: level,
      minVersionLevel: level,
    }));
    return { errorCode: 0, apiKeys, finalizedFeaturesEpoch: 1, finalizedFeatures };
  }

  private metadata(body: Record<string, unknown>): object {
    const wanted = body['topics'] as { name: string | null; topicId: string }[] | null;
    const names = wanted?.map(({ name }) => name ?? 'orders') ?? [...this.topics.keys()];
    return {
      brokers: [{ nodeId: 1, host: 'b', port: 9092 }],
      controllerId: 1,
      topics: names.map((name) => ({
        name,
        errorCode: this.topics.has(name) ? 0 : 3,
        topicId: idOf(name),
        partitions: Array.from({ length: this.topics.get(name) ?? 0 }, (_, partitionIndex) => ({
          partitionIndex,
          errorCode: 0,
          leaderId: 1,
          leaderEpoch: 1,
          replicaNodes: [1],
          isrNodes: [1],
        })),
      })),
    };
  }

  private joined(body: Record<string, unknown>): object {
    const protocols = body['protocols'] as { name: string; metadata: Buffer }[];
    const { name, metadata } = protocols[0]!;
    const memberId = body['memberId'] === '' ? 'given' : (body['memberId'] as string);
    return {
      errorCode: 0,
      generationId: ++this.generationId,
      protocolType: 'consumer',
      protocolName: name,
      leader: memberId,
      memberId,
      members: [{ memberId, groupInstanceId: null, metadata }],
    };
  }

  /** The leader gets what it gave itself. */
  private synced(body: Record<string, unknown>): object {
    const assignments = body['assignments'] as { memberId: string; assignment: Buffer }[];
    const mine = assignments.find(({ memberId }) => memberId === body['memberId']);
    return { errorCode: 0, assignment: mine?.assignment ?? Buffer.alloc(0) };
  }
}

/** A topic's id, which is not its name. */
export function idOf(topic: string): string {
  return Buffer.from(topic.padEnd(16, '.')).toString('base64url');
}

/** What a broker before 0.10 has, as far as a group goes. */
export const versions09 = {
  ...modern,
  JoinGroup: [0, 0],
  SyncGroup: [0, 0],
  Heartbeat: [0, 0],
  LeaveGroup: [0, 0],
  FindCoordinator: [0, 0],
  Metadata: [0, 0],
} as const;
