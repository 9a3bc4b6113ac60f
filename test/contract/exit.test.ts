import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startEmbeddedKafka } from '../../src/testing/index.js';

const run = promisify(execFile);
const TIMEOUT_MS = 30_000;

/** Runs a program of the folder beside this file to its end; fails when it doesn't end. */
async function outputOf(program: string, bootstrapServers: string): Promise<string> {
  const file = join(import.meta.dirname, 'programs', program);
  const args = ['--import', 'tsx', file, bootstrapServers];
  const { stdout } = await run(process.execPath, args, { timeout: TIMEOUT_MS });
  return stdout;
}

test.each([
  ['send-and-close.ts', ['send', 'toTopic', 'own', 'sendAll']],
  ['sink-only.ts', ['v']],
])(
  '%s ends by itself once it has closed the client',
  async (program, values) => {
    await using cluster = await startEmbeddedKafka({ topics: { orders: 1 } });
    expect(await outputOf(program, cluster.bootstrapServers)).toBe('closed\n');
    expect(cluster.records('orders').map(({ value }) => String(value))).toEqual(values);
  },
  TIMEOUT_MS,
);
