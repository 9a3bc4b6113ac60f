import { apis, ZERO_UUID, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { checkController } from './controller.js';
import { defineHandler, type HandlerContext, type IncomingRequest } from './handler.js';
import { locateTopic } from './locate.js';

interface Wanted {
  readonly name: string | null;
  readonly topicId: string;
}
type TopicAnswer = ResponseInput<typeof apis.DeleteTopics>['responses'][number];

/** Deletes topics with their records. */
export const deleteTopics = defineHandler(apis.DeleteTopics, {
  handle: (request, context) => ({
    responses: wantedBy(request).map((wanted) => {
      const outcome = orRejection(() => remove(wanted, context));
      if (!(outcome instanceof Rejection)) return outcome;
      return { ...wanted, errorCode: outcome.errorCode, errorMessage: outcome.message };
    }),
  }),
  fail: (request, errorCode) => ({
    responses: wantedBy(request).map((wanted) => ({ ...wanted, errorCode })),
  }),
});

/** Versions below 6 list plain names. */
function wantedBy({ body, version }: IncomingRequest<typeof apis.DeleteTopics>): Wanted[] {
  if (version >= 6) return body.topics;
  return body.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
}

function remove({ name, topicId }: Wanted, context: HandlerContext): TopicAnswer {
  checkController(context);
  const isNamed = name !== null && name !== '';
  if (isNamed === (topicId !== ZERO_UUID)) {
    const message = 'A topic is named either by its name or by its id.';
    throw new Rejection(Errors.INVALID_REQUEST, message);
  }
  const topic = locateTopic(context, name ?? '', topicId);
  if (topic instanceof Rejection) throw topic;
  context.cluster.deleteTopic(topic);
  return { name: topic.name, topicId: topic.id, errorCode: Errors.NONE };
}
