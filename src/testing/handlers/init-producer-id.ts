import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { defineHandler } from './handler.js';

/** Hands out producer ids; a transactional id keeps its own and gets the next epoch. */
export const initProducerId = defineHandler(apis.InitProducerId, {
  handle({ body }, { cluster }) {
    if (body.transactionalId === '') return failed(Errors.INVALID_REQUEST);
    const { producerId, epoch } = cluster.initProducer(body.transactionalId);
    return { errorCode: Errors.NONE, producerId, producerEpoch: epoch };
  },
  fail: (_request, errorCode) => failed(errorCode),
});

function failed(errorCode: number) {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
