import { apis, type RequestOf, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { ConfigEntry } from '../state/topic-config.js';
import { locateResource } from './config-resource.js';
import { defineHandler, type IncomingRequest } from './handler.js';

type Request = IncomingRequest<typeof apis.DescribeConfigs>;
type Resource = RequestOf<typeof apis.DescribeConfigs>['resources'][number];
type Result = ResponseInput<typeof apis.DescribeConfigs>['results'][number];

const SOURCE_TOPIC = 1;
const SOURCE_STATIC_BROKER = 4;
const SOURCE_DEFAULT = 5;
const INT = 3;
const BOOLEAN = 1;

/** The settings of topics, and a few of brokers. */
export const describeConfigs = defineHandler(apis.DescribeConfigs, {
  handle: (request, { cluster }) => ({
    results: request.body.resources.map((resource) => {
      const outcome = orRejection(() => describe(resource, request, cluster));
      if (!(outcome instanceof Rejection)) return outcome;
      return failed(resource, outcome.errorCode, outcome.message);
    }),
  }),
  fail: ({ body }, errorCode) => ({
    results: body.resources.map((resource) => failed(resource, errorCode, null)),
  }),
});

function describe(resource: Resource, request: Request, cluster: Cluster): Result {
  const { resourceType, resourceName, configurationKeys } = resource;
  const located = locateResource(resourceType, resourceName, cluster);
  const [entries, source] =
    located.kind === 'topic'
      ? [located.topic.config.entries, SOURCE_TOPIC]
      : [brokerEntries(cluster, resourceName), SOURCE_STATIC_BROKER];
  return {
    errorCode: Errors.NONE,
    errorMessage: '',
    resourceType,
    resourceName,
    configs: entries
      .filter(({ name }) => configurationKeys === null || configurationKeys.includes(name))
      .map((entry) => tell(entry, source, request)),
  };
}

function tell(entry: ConfigEntry, ownSource: number, { body, version }: Request) {
  const source = entry.isDefault ? SOURCE_DEFAULT : ownSource;
  const { name, value, defaultValue } = entry;
  const fallback = { name, value: defaultValue, source: SOURCE_DEFAULT };
  const synonyms = entry.isDefault ? [fallback] : [{ name, value, source }, fallback];
  return {
    name,
    value,
    readOnly: ownSource === SOURCE_STATIC_BROKER,
    ...(version === 0 ? { isDefault: entry.isDefault } : { configSource: source }),
    isSensitive: false,
    synonyms: body.includeSynonyms ? synonyms : [],
    configType: entry.type,
    documentation: null,
  };
}

function brokerEntries({ settings }: Cluster, brokerId: string): ConfigEntry[] {
  const { autoCreateTopicsEnable, defaultReplicationFactor, numPartitions } = settings;
  const entry = (name: string, type: number, value: unknown, kafkaDefault?: unknown) => ({
    name,
    value: String(value),
    defaultValue: String(kafkaDefault ?? value),
    isDefault: value === kafkaDefault,
    type,
  });
  return [
    entry('auto.create.topics.enable', BOOLEAN, autoCreateTopicsEnable, true),
    entry('broker.id', INT, brokerId),
    entry('default.replication.factor', INT, defaultReplicationFactor, 1),
    entry('num.partitions', INT, numPartitions, 1),
  ];
}

function failed(
  { resourceType, resourceName }: Resource,
  errorCode: number,
  errorMessage: string | null,
): Result {
  return { errorCode, errorMessage, resourceType, resourceName, configs: [] };
}
