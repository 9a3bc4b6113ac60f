import { describe } from 'vitest';
import { badInputContract } from './producing/bad-input.js';
import { deliveryContract } from './producing/delivery.js';
import { recordsContract } from './producing/records.js';
import { sinksContract } from './producing/sinks.js';
import type { ContractSetup } from './setup.js';

/** What producing means, on whatever cluster. */
export function producingContract(setup: ContractSetup): void {
  describe('producing', () => {
    describe('records', () => recordsContract(setup));
    describe('sinks', () => sinksContract(setup));
    describe('delivery', () => deliveryContract(setup));
    describe('bad input', () => badInputContract(setup));
  });
}
