import { describe } from 'vitest';
import { HEARTBEAT_MS } from './cluster.js';
import { badConsumingContract } from './consuming/bad-input.js';
import { groupsContract } from './consuming/groups.js';
import { positionsContract } from './consuming/positions.js';
import { readingContract } from './consuming/reading.js';
import { transactionsContract } from './consuming/transactions.js';
import type { ContractSetup } from './setup.js';

/** What consuming means, on whatever cluster. */
export function consumingContract(setup: ContractSetup): void {
  const { hasIdempotence, hasGroups, hasConsumerProtocol } = setup.capabilities;
  describe('consuming', () => {
    describe('reading', () => readingContract(setup));
    describe('positions', () => positionsContract(setup));
    describe.runIf(hasIdempotence)('transactions', () => transactionsContract(setup));
    describe.runIf(hasGroups)('groups', () =>
      groupsContract(setup, { groupProtocol: 'classic', heartbeatIntervalMs: HEARTBEAT_MS }),
    );
    describe.runIf(hasConsumerProtocol)('groups of the consumer protocol', () =>
      groupsContract(setup, { groupProtocol: 'consumer' }),
    );
    describe('bad input', () => badConsumingContract(setup));
  });
}
