import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Topic } from '../state/topic.js';
import { checkKnown, checkSetting, isListSetting } from '../state/topic-config.js';
import { locateResource } from './config-resource.js';
import { defineHandler } from './handler.js';

type Resource = RequestOf<typeof apis.IncrementalAlterConfigs>['resources'][number];

interface Change {
  readonly name: string;
  readonly configOperation: number;
  readonly value: string;
}

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

/** Changes single settings of topics (KIP-339). */
export const incrementalAlterConfigs = defineHandler(apis.IncrementalAlterConfigs, {
  handle: ({ body }, { cluster }) => ({
    responses: body.resources.map((resource) => {
      const outcome = orRejection(() => alter(resource, body.validateOnly, cluster));
      return outcome === undefined
        ? answer(resource, Errors.NONE, null)
        : answer(resource, outcome.errorCode, outcome.message);
    }),
  }),
  fail: ({ body }, errorCode) => ({
    responses: body.resources.map((resource) => answer(resource, errorCode, null)),
  }),
});

function alter(resource: Resource, isValidateOnly: boolean, cluster: Cluster): void {
  const located = locateResource(resource.resourceType, resource.resourceName, cluster);
  if (located.kind !== 'topic') {
    throw new Rejection(Errors.INVALID_REQUEST, 'Settings of brokers are fixed here');
  }
  const { topic } = located;
  const changes = changesOf(resource, topic);
  if (isValidateOnly) return;
  topic.config.apply(changes);
  for (const partition of topic.partitions) partition.log.enforceRetention();
}

function changesOf({ configs }: Resource, topic: Topic): Map<string, string | undefined> {
  const changes = new Map<string, string | undefined>();
  for (const { name, configOperation, value } of configs) {
    if (changes.has(name)) {
      const message = `Error due to duplicate config keys: ${name}`;
      throw new Rejection(Errors.INVALID_REQUEST, message);
    }
    if (value === null && configOperation !== DELETE) {
      throw new Rejection(Errors.INVALID_REQUEST, `Null value not supported for : ${name}`);
    }
    checkKnown(name);
    const next = changed(topic.config.get(name), { name, configOperation, value: value ?? '' });
    if (next !== undefined) checkSetting(name, next);
    changes.set(name, next);
  }
  return changes;
}

/** The new value; `undefined` for the default. */
function changed(current: string, { name, configOperation, value }: Change): string | undefined {
  switch (configOperation) {
    case SET:
      return value;
    case DELETE:
      return undefined;
    case APPEND:
    case SUBTRACT: {
      if (!isListSetting(name)) {
        const message = `Config value append is not allowed for config key: ${name}`;
        throw new Rejection(Errors.INVALID_CONFIG, message);
      }
      const named = value.split(',');
      const others = current.split(',').filter((part) => part !== '' && !named.includes(part));
      return (configOperation === APPEND ? [...others, ...named] : others).join(',');
    }
    default:
      // Real brokers run into it unprepared.
      throw new Rejection(Errors.UNKNOWN_SERVER_ERROR, `Unknown operation ${configOperation}`);
  }
}

function answer(
  { resourceType, resourceName }: Resource,
  errorCode: number,
  message: string | null,
) {
  return { errorCode, errorMessage: message, resourceType, resourceName };
}
