import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from './child.js';

const suites: Readonly<Record<string, () => Promise<{ run: () => Promise<void> }>>> = {
  records: () => import('./records.js'),
  protocol: () => import('./protocol.js'),
  operators: () => import('./operators.js'),
  produce: () => import('./produce.js'),
  consume: () => import('./consume.js'),
  transactions: () => import('./transactions.js'),
  'produce-latency': () => import('./produce-latency.js'),
  'consume-latency': () => import('./consume-latency.js'),
  'consume-memory': () => import('./consume-memory.js'),
  'produce-memory': () => import('./produce-memory.js'),
};

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const unknown = wanted.filter((name) => !Object.hasOwn(suites, name));
if (wanted.length === 0 || unknown.length > 0) {
  console.error(`usage: npm run bench -- ${Object.keys(suites).join(' | ')}`);
  process.exit(2);
}

const here = fileURLToPath(new URL('.', import.meta.url));
if (!existsSync(`${here}/node_modules`)) {
  console.log('Installing the clients to compare with ...');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' });
}
build();
for (const name of wanted) await (await suites[name]!()).run();
