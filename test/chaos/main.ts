/**
 * Brings down brokers of a real cluster under load, for as long as wanted.
 *
 *     npm run chaos -- [--rounds 20] [--seed 7]
 */
import { parseArgs } from 'node:util';
import { killBrokers } from './brokers-killed.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.trunc(Math.random() * 2 ** 31)) },
  },
});
const report = await killBrokers({
  seed: Number(values.seed),
  rounds: Number(values.rounds),
  signals: ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGSTOP'],
  tell: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
});
console.log(report);
process.exitCode = report.violations.length === 0 ? 0 : 1;
