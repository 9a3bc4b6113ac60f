import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const folder = resolve(import.meta.dirname, '../examples/guarantees');
const files = readdirSync(folder).filter((file) => file !== 'setting.ts');
/** Needs a native module that can't be had everywhere. */
const WITH_DATABASE = 'once-in-a-database.ts';
const hasDatabase = canLoad('better-sqlite3');

test('there is an example for each guarantee of consuming', () => {
  expect(files.sort()).toEqual([
    'bounded.ts',
    'cold.ts',
    'exactly-once.ts',
    'explained.ts',
    'fenced.ts',
    'gap-safe.ts',
    WITH_DATABASE,
  ]);
});

test.each(files.filter((file) => file !== WITH_DATABASE || hasDatabase))(
  'what examples/guarantees/%s says is so',
  async (file) => {
    const { code, output } = await run(join(folder, file));
    expect(output).toMatch(/^yes {2}/m);
    expect(output).not.toMatch(/^NO/m);
    expect(code, output).toBe(0);
  },
  120_000,
);

const families = resolve(import.meta.dirname, '../examples/operators');

test('there is an example for each family of operators', () => {
  expect(readdirSync(families).sort()).toEqual([
    'batching.ts',
    'dedupe-and-switch.ts',
    'failures.ts',
    'fan-out.ts',
    'ordering.ts',
    'ranges.ts',
  ]);
});

test.each(readdirSync(families))(
  'what examples/operators/%s says is so',
  async (file) => {
    const { code, output } = await run(join(families, file));
    expect(output).toMatch(/^yes {2}/m);
    expect(output).not.toMatch(/^NO/m);
    expect(code, output).toBe(0);
  },
  120_000,
);

if (!hasDatabase) {
  test.skip(`${WITH_DATABASE} does not run: better-sqlite3 is missing (npm ci --prefix examples)`);
}

function canLoad(name: string): boolean {
  const require = createRequire(join(folder, WITH_DATABASE));
  try {
    // That it is there does not say that it was built: it loads its native half with the first use.
    new (require(name) as new (path: string) => { close(): void })(':memory:').close();
    return true;
  } catch {
    return false;
  }
}

test('what examples/testing/batching.node-test.ts tests is so', async () => {
  const file = resolve(folder, '../testing/batching.node-test.ts');
  const { code, output } = await run('--test', file);
  expect(output).toMatch(/pass 3/);
  expect(code, output).toBe(0);
}, 120_000);

async function run(...args: readonly string[]): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, output };
}
