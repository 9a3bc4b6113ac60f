import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { createKafka } from '../src/index.js';

const root = resolve(import.meta.dirname, '..');

/** Runs an example as a user does, to its end. */
function run(
  file: string,
  args: readonly string[] = [],
  onOutput: (output: string, interrupt: () => void) => void = () => undefined,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const command = ['--import', 'tsx', `examples/${file}`, ...args];
    const child = spawn(process.execPath, command, { cwd: root });
    let output = '';
    const hear = (text: string) => {
      output += text;
      onOutput(output, () => void child.kill('SIGINT'));
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

test('embedded-broker.ts shows a test that runs against a failing cluster', async () => {
  const { code, output } = await run('embedded-broker.ts');
  expect(output).toContain('4 orders written, each once');
  expect(code).toBe(0);
});

test('broker.ts is a broker to play with, and shows what is written', async () => {
  let isWritten = false;
  let isInterrupted = false;
  const { code, output } = await run('broker.ts', ['0'], (heard, interrupt) => {
    const [, bootstrapServers] = /listens on (\S+:\d+)\./.exec(heard) ?? [];
    if (bootstrapServers !== undefined && !isWritten) {
      isWritten = true;
      void write(bootstrapServers);
    }
    if (isInterrupted || !heard.includes('orders-0 0: anna = tea')) return;
    isInterrupted = true;
    interrupt();
  });
  expect(output).toContain('orders-0 0: anna = tea');
  expect(code).toBe(0);
});

async function write(bootstrapServers: string): Promise<void> {
  await using kafka = createKafka({ bootstrapServers });
  await kafka.producer().send({ topic: 'orders', key: 'anna', value: 'tea' });
}

test('demo.ts shakes the cluster and finds every acknowledged record once and in order', async () => {
  const { code, output } = await run('demo.ts', ['--seconds', '2', '--rate', '2000']);
  for (const line of ['moves from broker', 'broker 3 stops', 'broker 3 is back', 'retried']) {
    expect(output).toContain(line);
  }
  expect(output).toMatch(/sent +4000\n +acknowledged +4000\n +in the log +4000/);
  expect(output).toContain('Every acknowledged record is there, once and in order.');
  expect(code).toBe(0);
});

test('demo.ts leaves cleanly on Ctrl-C, with its summary', async () => {
  let isInterrupted = false;
  const { code, output } = await run('demo.ts', ['--seconds', '600'], (heard, interrupt) => {
    if (isInterrupted || !/acknowledged [1-9]/.test(heard)) return;
    isInterrupted = true;
    interrupt();
  });
  expect(output).toContain('Ctrl-C: what was sent is finished first');
  expect(output).toContain('Every acknowledged record is there, once and in order.');
  expect(code).toBe(0);
});
