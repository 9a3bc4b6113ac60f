import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { checkSetting } from '../state/topic-config.js';
import { locateResource } from './config-resource.js';
import { defineHandler } from './handler.js';

type Resource = RequestOf<typeof apis.AlterConfigs>['resources'][number];

/** Replaces all settings of topics: what is not named goes back to its default. */
export const alterConfigs = defineHandler(apis.AlterConfigs, {
  handle: ({ body }, { cluster }) => ({
    responses: body.resources.map((resource) => {
      const outcome = orRejection(() => replace(resource, body.validateOnly, cluster));
      return outcome === undefined
        ? answer(resource, Errors.NONE, null)
        : answer(resource, outcome.errorCode, outcome.message);
    }),
  }),
  fail: ({ body }, errorCode) => ({
    responses: body.resources.map((resource) => answer(resource, errorCode, null)),
  }),
});

function replace(resource: Resource, isValidateOnly: boolean, cluster: Cluster): void {
  const located = locateResource(resource.resourceType, resource.resourceName, cluster);
  if (located.kind !== 'topic') {
    throw new Rejection(Errors.INVALID_REQUEST, 'Settings of brokers are fixed here');
  }
  const { topic } = located;
  const unset = Object.keys(topic.config.overrides).map((name) => [name, undefined] as const);
  const changes = new Map<string, string | undefined>(unset);
  for (const { name, value } of resource.configs) {
    checkSetting(name, value);
    changes.set(name, value);
  }
  if (isValidateOnly) return;
  topic.config.apply(changes);
  for (const partition of topic.partitions) partition.log.enforceRetention();
}

function answer(
  { resourceType, resourceName }: Resource,
  errorCode: number,
  message: string | null,
) {
  return { errorCode, errorMessage: message, resourceType, resourceName };
}
