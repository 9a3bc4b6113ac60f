import { describe, test, expect } from 'vitest';
import { UnsupportedVersionError } from '../../src/index.js';
import type { ContractSetup } from './setup.js';
import { operatorContract } from './transacting/operator.js';
import { producerTransactionsContract } from './transacting/producer.js';

/** What transactions mean, on whatever cluster. */
export function transactingContract(setup: ContractSetup): void {
  describe('transacting', () => {
    if (!setup.capabilities.hasTransactions) {
      test('brokers before 0.11 have no transactions, and the error says so', async () => {
        await using kafka = setup.connect();
        const producer = kafka.producer({ transactionalId: 'too-old' });
        const failure = await producer.beginTransaction().catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(UnsupportedVersionError);
        expect(String(failure)).toContain('0.11');
      });
      return;
    }
    describe('producer', () => producerTransactionsContract(setup));
    describe('transactional', () => operatorContract(setup));
  });
}
