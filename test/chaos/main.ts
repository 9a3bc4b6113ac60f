/**
 * Brings down brokers of a real cluster, members of a group, or those who copy by transactions, under
 * load, for as long as wanted.
 *
 *     npm run chaos -- [brokers | members | copiers] [--rounds 20] [--seed 7]
 *
 * Members and copiers take turns with both protocols, and copiers are two and then three, unless
 * `--protocol classic`, `--assignor cooperative-sticky` or `--copiers 4` pick one.
 * `--identity side-by-side` gives copiers a static member's name and several transactions at a time.
 */
import { parseArgs } from 'node:util';
import type { BuiltInAssignor } from '../../src/index.js';
import { startKafka } from '../support/kafka/cluster.js';
import { killBrokers } from './brokers-killed.js';
import { copyWhileKilling } from './copying.js';
import { alertBroker, killMembers } from './members-killed.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    protocol: { type: 'string' },
    assignor: { type: 'string' },
    copiers: { type: 'string' },
    identity: { type: 'string', default: 'one-producer' },
    seed: { type: 'string', default: String(Math.trunc(Math.random() * 2 ** 31)) },
  },
});
const seed = Number(values.seed);
const rounds = Number(values.rounds);
const [what = 'brokers'] = positionals;
const groupProtocols = (['classic', 'consumer'] as const).filter(
  (protocol) => values.protocol === undefined || values.protocol === protocol,
);
const crews = values.copiers === undefined ? [2, 3] : [Number(values.copiers)];
const tell = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);

async function brokers(): Promise<readonly string[]> {
  const signals = ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGSTOP'] as const;
  const report = await killBrokers({ seed, rounds, signals, tell });
  console.log(report);
  return report.violations;
}

async function members(): Promise<readonly string[]> {
  await using kafka = await startKafka({ version: '4.3', properties: alertBroker });
  const { bootstrapServers } = kafka;
  const complaints: string[] = [];
  for (const groupProtocol of groupProtocols) {
    const topic = `chaos-${groupProtocol}`;
    await kafka.createTopic(topic, { partitions: 6 });
    const assignor = values.assignor as BuiltInAssignor | undefined;
    const options = { bootstrapServers, topic, groupProtocol, assignor, seed, rounds, tell };
    const report = await killMembers(options);
    console.log(groupProtocol, report);
    complaints.push(...report.complaints);
  }
  return complaints;
}

async function copiers(): Promise<readonly string[]> {
  const complaints: string[] = [];
  for (const groupProtocol of groupProtocols) {
    for (const count of crews) {
      const records = rounds * 3000;
      const identity = values.identity as 'one-producer' | 'side-by-side';
      const options = { seed, rounds, records, groupProtocol, copiers: count, identity, tell };
      const report = await copyWhileKilling(options);
      console.log(groupProtocol, report);
      complaints.push(...report.complaints);
    }
  }
  return complaints;
}

const kinds = { brokers, members, copiers };
if (!Object.hasOwn(kinds, what)) throw new Error(`Nothing is known of ${what}`);
const complaints = await kinds[what as keyof typeof kinds]();
process.exitCode = complaints.length === 0 ? 0 : 1;
