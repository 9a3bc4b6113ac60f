import { dropping } from './dropping.js';
import { ending } from './ending.js';
import { gathering } from './gathering.js';
import { passing } from './passing.js';
import type { StockEffect } from './stock-operator.js';

/** What every operator of RxJS does to acks. */
export const stockOperators: readonly StockEffect[] = [
  ...passing,
  ...dropping,
  ...gathering,
  ...ending,
];
