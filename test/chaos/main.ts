/**
 * Brings down brokers of a real cluster, or members of a group, under load, for as long as wanted.
 *
 *     npm run chaos -- [brokers | members] [--rounds 20] [--seed 7]
 */
import { parseArgs } from 'node:util';
import { startKafka } from '../support/kafka/cluster.js';
import { killBrokers } from './brokers-killed.js';
import { alertBroker, killMembers } from './members-killed.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.trunc(Math.random() * 2 ** 31)) },
  },
});
const seed = Number(values.seed);
const rounds = Number(values.rounds);
const [what = 'brokers'] = positionals;
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
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    const topic = `chaos-${groupProtocol}`;
    await kafka.createTopic(topic, { partitions: 6 });
    const options = { bootstrapServers, topic, groupProtocol, seed, rounds, tell };
    const report = await killMembers(options);
    console.log(groupProtocol, report);
    complaints.push(...report.complaints);
  }
  return complaints;
}

if (what !== 'brokers' && what !== 'members') throw new Error(`Nothing is known of ${what}`);
const complaints = await (what === 'brokers' ? brokers() : members());
process.exitCode = complaints.length === 0 ? 0 : 1;
