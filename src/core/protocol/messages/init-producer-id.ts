import { api } from '../api.js';
import { bool, int16, int32, int64, string } from '../schema.js';

/**
 * Obtains a producer id and epoch, and with a transactional id fences predecessors (KIP-98,
 * KIP-360, KIP-939).
 */
export const InitProducerId = api({
  name: 'InitProducerId',
  key: 22,
  versions: '0-6',
  flexible: '2+',
  maxStable: 5,
  request: {
    transactionalId: string('0+', { nullable: '0+' }),
    transactionTimeoutMs: int32('0+'),
    producerId: int64('3+', { default: -1 }),
    producerEpoch: int16('3+', { default: -1 }),
    enable2Pc: bool('6+', { default: false }),
    keepPreparedTxn: bool('6+', { default: false }),
  },
  response: {
    throttleTimeMs: int32('0+', { ignorable: true }),
    errorCode: int16('0+'),
    producerId: int64('0+', { default: -1 }),
    producerEpoch: int16('0+'),
    ongoingTxnProducerId: int64('6+', { default: -1 }),
    ongoingTxnProducerEpoch: int16('6+', { default: -1 }),
  },
});
