import type { apis } from '../../../src/core/protocol/index.js';
import { type RequestInput } from '../../../src/core/protocol/index.js';
import type { EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

type Body = RequestInput<typeof apis.ConsumerGroupHeartbeat>;

/** One member of a consumer group, moved by hand: it does only what the test makes it do. */
export class ConsumerMember {
  epoch = 0;
  /** What it has, by topic name and partition, as in `orders-0`. */
  owned: string[] = [];
  readonly client: EmbeddedClient;

  constructor(
    readonly cluster: EmbeddedKafka,
    readonly groupId: string,
    public memberId: string,
    readonly instanceId: string | null = null,
    broker = cluster.inspect().groups[groupId]?.coordinator ?? cluster.brokerIds[0]!,
  ) {
    this.client = new EmbeddedClient(cluster, broker);
  }

  /** Joins, or joins anew, reading some topics. */
  join(topics: readonly string[] = ['orders'], rest: Partial<Body> = {}) {
    this.epoch = 0;
    this.owned = [];
    return this.heartbeat({
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: topics,
      topicPartitions: [],
      ...rest,
    });
  }

  /** Says what is given besides who it is; takes what it gets without delay. */
  async heartbeat(rest: Partial<Body> = {}, version = 1) {
    const answer = await this.client.request('ConsumerGroupHeartbeat', version, {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      ...rest,
    });
    const error = errorName(answer.errorCode);
    if (error === 'NONE') {
      this.epoch = answer.memberEpoch;
      if (version === 0) this.memberId = answer.memberId ?? this.memberId;
      if (answer.assignment !== null) this.owned = this.named(answer.assignment.topicPartitions);
    }
    return { ...answer, error };
  }

  /** Tells what it has, as after having given partitions back. */
  report(rest: Partial<Body> = {}) {
    return this.heartbeat({ topicPartitions: this.listed(), ...rest });
  }

  /** Leaves for good, or as a static member for a while. */
  leave(epoch: -1 | -2 = -1) {
    return this.heartbeat({ memberEpoch: epoch });
  }

  private named(list: readonly { topicId: string; partitions: readonly number[] }[]): string[] {
    const topics = Object.entries(this.cluster.inspect().topics);
    return list.flatMap(({ topicId, partitions }) => {
      const name = topics.find(([, topic]) => topic.topicId === topicId)![0];
      return partitions.map((partition) => `${name}-${partition}`);
    });
  }

  private listed() {
    return this.owned.map((partition) => {
      const at = partition.lastIndexOf('-');
      const { topicId } = this.cluster.inspect().topics[partition.slice(0, at)]!;
      return { topicId, partitions: [Number(partition.slice(at + 1))] };
    });
  }
}
