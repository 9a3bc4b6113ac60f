import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import * as rxKafka from '../../src/index.js';
import * as protocol from '../../src/protocol.js';
import * as testing from '../../src/testing/index.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_MS = 300_000;

let project = '';
let installed = '';

/** A project that has what would be published, and nothing else of this one. */
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'rx-kafka-package-'));
  installed = join(project, 'node_modules', manifest.name);
  await mkdir(installed, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }];
  await run('tar', ['-xf', join(project, filename), '--strip-components=1', '-C', installed]);
  const borrowed = ['rxjs', '@types', ...Object.keys(manifest.dependencies)];
  for (const name of borrowed) {
    const link = join(project, 'node_modules', name);
    await mkdir(join(link, '..'), { recursive: true });
    await symlink(join(root, 'node_modules', name), link);
  }
  await writeFile(join(project, 'package.json'), '{ "type": "module" }');
}, BUILD_MS);

afterAll(() => rm(project, { recursive: true, force: true }));

async function runModule(source: string): Promise<string> {
  await writeFile(join(project, 'main.js'), source);
  return (await run(process.execPath, ['main.js'], { cwd: project })).stdout;
}

/** What is exported, and what it is called in stack traces and when it is printed. */
function namesIn(exports: object): unknown {
  const named = Object.entries(exports) as [string, { name?: unknown }][];
  return JSON.parse(JSON.stringify(named.map(([name, it]) => [name, it.name]).sort()));
}

test('what is published can be imported, produces and consumes', async () => {
  const printed = await runModule(`
    import { createKafka, fromTopics, processEach, sendAll, ConfigError } from 'rx-kafka';
    import { startEmbeddedKafka } from 'rx-kafka/testing';
    import { of, take } from 'rxjs';

    const cluster = await startEmbeddedKafka({ topics: { orders: 1 } });
    const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
    await new Promise((complete, error) => {
      const orders = ['one', 'two', 'three'].map((value) => ({ value }));
      sendAll(kafka, 'orders', orders, { compressionType: 'lz4' }).subscribe({ complete, error });
    });
    const read = [];
    await new Promise((complete, error) => {
      fromTopics(kafka, 'orders', { groupId: 'readers', autoOffsetReset: 'earliest' })
        .pipe(processEach(({ value }) => of(value.toString())), take(3))
        .subscribe({ next: (text) => read.push(text), complete, error });
    });
    let refused;
    try { createKafka({ bootstrapServer: 'x' }); } catch (error) { refused = error; }
    await kafka.close();
    await cluster.close();
    console.log(JSON.stringify({ read, refused: refused.name, isTyped: refused instanceof ConfigError }));
  `);
  expect(JSON.parse(printed)).toEqual({
    read: ['one', 'two', 'three'],
    refused: 'ConfigError',
    isTyped: true,
  });
});

test('entry points share their classes, and everything keeps its name', async () => {
  const printed = await runModule(`
    import * as rxKafka from 'rx-kafka';
    import * as protocol from 'rx-kafka/protocol';
    import * as testing from 'rx-kafka/testing';

    const names = (exports) => Object.entries(exports).map(([name, it]) => [name, it.name]).sort();
    const shared = Object.keys(protocol).filter((name) => name in rxKafka);
    console.log(JSON.stringify({
      exported: [rxKafka, protocol, testing].map(names),
      doubled: shared.filter((name) => protocol[name] !== rxKafka[name]),
    }));
  `);
  expect(JSON.parse(printed)).toEqual({
    exported: [rxKafka, protocol, testing].map(namesIn),
    doubled: [],
  });
});

test('its command works', async () => {
  const main = join(installed, manifest.bin['rx-kafka']);
  const { stdout } = await run(process.execPath, [main, '--help']);
  expect(stdout).toContain('rx-kafka version');
});

test(
  'its types are complete',
  async () => {
    await writeFile(
      join(project, 'main.ts'),
      `
    import { createKafka, fromTopics, type ConsumerRecord } from 'rx-kafka';
    import { decodeRecords } from 'rx-kafka/protocol';
    import { startEmbeddedKafka } from 'rx-kafka/testing';
    import type { Observable } from 'rxjs';

    const cluster = await startEmbeddedKafka();
    const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
    export const orders: Observable<ConsumerRecord> = fromTopics(kafka, 'orders', { groupId: 'g' });
    export const count: number = decodeRecords(Buffer.alloc(0)).length;
    `,
    );
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022'];
    const lib = ['--lib', 'es2022,esnext.disposable', '--types', 'node'];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, ...options, ...lib, 'main.ts'], { cwd: project });
  },
  BUILD_MS,
);

test('what clients load is ASCII: for any other letter V8 keeps two bytes for each', async () => {
  const dist = join(installed, 'dist');
  const loaded = new Set(['index.js']);
  for (const file of loaded) {
    const code = await readFile(join(dist, file), 'latin1');
    expect(`${file}: ${/[^\0-\x7f].*/.exec(code)?.[0] ?? 'ASCII'}`).toBe(`${file}: ASCII`);
    for (const [, path] of code.matchAll(/ from "\.\/(?:\.\.\/)?(shared\/.*?)"/g))
      loaded.add(path!);
  }
  expect(loaded.size).toBeGreaterThan(1);
});
