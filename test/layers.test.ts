import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

/** From the bottom up; a layer may import itself and what is above its line. */
const layers: readonly (readonly string[])[] = [
  ['core/util'],
  ['core/protocol'],
  ['core/records'],
  ['core/serde', 'core/metrics'],
  ['core/network'],
  ['core/cluster'],
  ['core/producer', 'core/group'],
  ['core/consumer'],
  ['core/admin'],
  ['core'],
  ['sources', 'operators', 'sinks'],
  ['testing/marbles'],
  ['testing'],
  ['.'],
  ['cli'],
];

/** The embedded broker shares only what can't carry a bug of the client over to it. */
const testingMayImport = ['core/util', 'core/protocol', 'core/records', 'testing'];

/** Marbles have the consumer's own ledger and delivery behind them, and neither broker nor network. */
const marblesMayImport = [
  'core/util',
  'core/records',
  'core/serde',
  'core/producer',
  'core/group',
  'core/consumer',
  'testing/marbles',
];

/** What is published of both, which know nothing of each other. */
const testingEntry = 'testing/index.ts';

const root = resolve(import.meta.dirname, '../src');

interface Import {
  readonly from: string;
  readonly to: string;
}

test('imports go downwards only', () => {
  expect(violations(importsOf(root))).toEqual([]);
});

test('folders don’t import one another in circles', () => {
  expect(circles(importsOf(root))).toEqual([]);
});

describe('the rule itself', () => {
  const between = (from: string, to: string) => violations([{ from, to }]);

  test('refuses an import upwards', () => {
    expect(between('core/protocol/a.ts', 'core/network/b.ts')).toHaveLength(1);
  });

  test('refuses producer and consumer importing each other', () => {
    expect(between('core/producer/a.ts', 'core/consumer/b.ts')).toHaveLength(1);
    expect(between('core/consumer/a.ts', 'core/producer/b.ts')).toHaveLength(1);
  });

  test('keeps the embedded broker away from the client', () => {
    expect(between('testing/a.ts', 'core/network/b.ts')).toHaveLength(1);
    expect(between('testing/a.ts', 'core/records/b.ts')).toEqual([]);
  });

  test('keeps marbles away from the network and from the embedded broker, and it from them', () => {
    expect(between('testing/marbles/a.ts', 'core/consumer/b.ts')).toEqual([]);
    expect(between('testing/marbles/a.ts', 'core/cluster/b.ts')).toHaveLength(1);
    expect(between('testing/marbles/a.ts', 'testing/b.ts')).toHaveLength(1);
    expect(between('testing/a.ts', 'testing/marbles/b.ts')).toHaveLength(1);
    expect(between('testing/index.ts', 'testing/marbles/b.ts')).toEqual([]);
  });

  test('allows an import downwards', () => {
    expect(between('sinks/a.ts', 'core/producer/b.ts')).toEqual([]);
  });

  test('finds a circle of folders', () => {
    const circle = [
      { from: 'sinks/a.ts', to: 'operators/b.ts' },
      { from: 'operators/b.ts', to: 'sinks/c.ts' },
    ];
    expect(circles(circle)).not.toEqual([]);
  });
});

function violations(imports: readonly Import[]): string[] {
  return imports.filter((edge) => !isAllowed(edge)).map(({ from, to }) => `${from} -> ${to}`);
}

function isAllowed({ from, to }: Import): boolean {
  const source = layerOf(from);
  const target = layerOf(to);
  if (from === testingEntry && target === 'testing/marbles') return true;
  if (source === 'testing') return testingMayImport.includes(target);
  if (source === 'testing/marbles') return marblesMayImport.includes(target);
  const isBetweenTwins =
    (source === 'core/producer' && target === 'core/consumer') ||
    (source === 'core/consumer' && target === 'core/producer');
  return !isBetweenTwins && rankOf(target) <= rankOf(source);
}

function circles(imports: readonly Import[]): string[] {
  const edges = new Set<string>();
  for (const { from, to } of imports) {
    const [source, target] = [layerOf(from), layerOf(to)];
    if (source !== target) edges.add(`${source} ${target}`);
  }
  return [...edges].filter((edge) => edges.has(edge.split(' ').reverse().join(' ')));
}

/** The deepest folder of the table that a file is in. */
function layerOf(file: string): string {
  const folder = dirname(file);
  const names = layers
    .flat()
    .filter((layer) => layer === folder || folder.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length);
  const found = names[0];
  if (found === undefined) throw new Error(`${file} is in no layer: add its folder to the table`);
  return found;
}

function rankOf(layer: string): number {
  return layers.findIndex((names) => names.includes(layer));
}

function importsOf(folder: string): Import[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(folder, file), 'utf8'));
      return importedFiles
        .filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => ({
          from: file,
          to: relative(folder, resolve(folder, dirname(file), fileName)),
        }));
    });
}
