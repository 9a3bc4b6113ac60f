import { apis, type RequestOf, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import type { TopicSpec } from '../state/topic-plans.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { TopicConfig } from '../state/topic-config.js';
import { checkSetting } from '../state/topic-config.js';
import { checkController } from './controller.js';
import { defineHandler, type HandlerContext } from './handler.js';

type TopicRequest = RequestOf<typeof apis.CreateTopics>['topics'][number];
type TopicAnswer = ResponseInput<typeof apis.CreateTopics>['topics'][number];

/** How DescribeConfigs and CreateTopics call where a value comes from. */
const FROM_TOPIC = 1;
const FROM_DEFAULT = 5;

/** Makes topics (KIP-4, KIP-525). */
export const createTopics = defineHandler(apis.CreateTopics, {
  handle: ({ body }, context) => ({
    topics: body.topics.map((wanted) => {
      const isTwice = body.topics.some((other) => other !== wanted && other.name === wanted.name);
      if (isTwice) return failed(wanted, Errors.INVALID_REQUEST, 'Duplicate topic name.');
      const outcome = orRejection(() => create(wanted, body.validateOnly, context));
      if (!(outcome instanceof Rejection)) return outcome;
      return failed(wanted, outcome.errorCode, outcome.message);
    }),
  }),
  fail: ({ body }, errorCode) => ({
    topics: body.topics.map((wanted) => failed(wanted, errorCode, null)),
  }),
});

function create(
  wanted: TopicRequest,
  isValidateOnly: boolean,
  context: HandlerContext,
): TopicAnswer {
  const { cluster } = context;
  checkController(context);
  const spec = specOf(wanted, cluster);
  if (isValidateOnly) {
    const { assignments, config } = cluster.plans.topic(wanted.name, spec);
    const replicationFactor = assignments[0]!.length;
    const described = describe(wanted.name, assignments.length, replicationFactor, config);
    return { ...described, topicId: cluster.newTopicId() };
  }
  const { id, partitions, config } = cluster.createTopic(wanted.name, spec);
  const replicationFactor = partitions[0]!.replicas.length;
  return { ...describe(wanted.name, partitions.length, replicationFactor, config), topicId: id };
}

function specOf(wanted: TopicRequest, { settings }: Cluster): TopicSpec {
  const { numPartitions, replicationFactor, assignments, configs } = wanted;
  const named = configs.map(({ name, value }) => {
    checkSetting(name, value);
    return [name, value] as const;
  });
  const shared = { configs: Object.fromEntries(named) };
  if (assignments.length > 0) {
    const inOrder = [...assignments].sort((a, b) => a.partitionIndex - b.partitionIndex);
    if (numPartitions !== -1 || replicationFactor !== -1) {
      const message = 'A manual assignment was given, so partitions and replicas must be -1';
      throw new Rejection(Errors.INVALID_REQUEST, message);
    }
    if (!inOrder.every(({ partitionIndex }, i) => partitionIndex === i)) {
      const message = 'The partitions of a manual assignment must be consecutive from 0';
      throw new Rejection(Errors.INVALID_REPLICA_ASSIGNMENT, message);
    }
    return { ...shared, assignments: inOrder.map(({ brokerIds }) => brokerIds) };
  }
  return {
    ...shared,
    partitions: numPartitions === -1 ? settings.numPartitions : numPartitions,
    replicationFactor:
      replicationFactor === -1 ? settings.defaultReplicationFactor : replicationFactor,
  };
}

function describe(
  name: string,
  numPartitions: number,
  replicationFactor: number,
  config: TopicConfig,
): TopicAnswer {
  return {
    name,
    errorCode: Errors.NONE,
    errorMessage: null,
    numPartitions,
    replicationFactor,
    configs: config.entries.map((entry) => ({
      name: entry.name,
      value: entry.value,
      readOnly: false,
      configSource: entry.isDefault ? FROM_DEFAULT : FROM_TOPIC,
      isSensitive: false,
    })),
  };
}

function failed(
  { name }: TopicRequest,
  errorCode: number,
  errorMessage: string | null,
): TopicAnswer {
  return { name, errorCode, errorMessage };
}
