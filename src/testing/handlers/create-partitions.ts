import { apis, ZERO_UUID } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { checkController } from './controller.js';
import { defineHandler } from './handler.js';
import { locateTopic } from './locate.js';

/** Adds partitions to topics (KIP-195). */
export const createPartitions = defineHandler(apis.CreatePartitions, {
  handle: ({ body }, context) => ({
    results: body.topics.map(({ name, count, assignments }) => {
      const outcome = orRejection(() => {
        checkController(context);
        const topic = locateTopic(context, name, ZERO_UUID);
        if (topic instanceof Rejection) throw topic;
        const given = assignments?.map(({ brokerIds }) => brokerIds);
        const planned = context.cluster.plans.partitions(topic, count, given);
        if (!body.validateOnly) context.cluster.addPartitions(topic, planned);
      });
      if (outcome === undefined) return { name, errorCode: Errors.NONE };
      const { errorCode, message } = outcome;
      const isTold = errorCode !== Errors.UNKNOWN_TOPIC_OR_PARTITION;
      return { name, errorCode, errorMessage: isTold ? message : null };
    }),
  }),
  fail: ({ body }, errorCode) => ({
    results: body.topics.map(({ name }) => ({ name, errorCode })),
  }),
});
