import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as rxKafka from '../../../src/index.js';
import { cases, proofs, type Proof } from './proofs.js';

const TESTS = join(import.meta.dirname, '..', '..');
const SOURCES = join(TESTS, '..', 'src');

/** The files of a folder that have a public operator or sink, by its name. */
function filesOf(
  folder: 'operators' | 'sinks',
): readonly (readonly [name: string, file: string])[] {
  return readdirSync(join(SOURCES, folder))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => basename(file, '.ts'))
    .map((file) => [camelCase(file), join(TESTS, folder, file)] as const)
    .filter(([name]) => Object.hasOwn(rxKafka, name));
}

function camelCase(file: string): string {
  return file.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** All specs of one operator: some have several files. */
function specOf(file: string): string {
  const [folder, own] = [join(file, '..'), basename(file)];
  const names = readdirSync(folder).filter(
    (name) =>
      name === `${own}.test.ts` || (name.startsWith(`${own}-`) && name.endsWith('.test.ts')),
  );
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

const sharedSpec = readFileSync(join(TESTS, 'support', 'operator-spec.ts'), 'utf8');
const groupSpec = readFileSync(join(TESTS, 'operators', 'in-a-group.test.ts'), 'utf8');

const has = (text: string, title: string) => text.includes(`'${title}'`);

function isThere(proof: Proof, name: string, spec: string): boolean {
  if (typeof proof === 'string') return has(spec, proof);
  if ('impossible' in proof) return true;
  if ('shared' in proof)
    return /\bbehavesLikeAnOperator\(\(/.test(spec) && has(sharedSpec, proof.shared);
  return isPlayedInAGroup(name) && has(groupSpec, proof.inAGroup);
}

/** Pipelines there are called by what they show. */
function isPlayedInAGroup(name: string): boolean {
  return groupSpec.split('\n').some((line) => {
    const [, title = ''] = /^ {2}'?([\w, ]+)'?:/.exec(line) ?? [];
    return title.split(/, | /).includes(name);
  });
}

describe('each operator and sink is tested for what may become of a stream', () => {
  const files = [...filesOf('operators'), ...filesOf('sinks')];

  test('none is left out', () => {
    expect(files.map(([name]) => name).sort()).toEqual(Object.keys(proofs).sort());
  });

  test.each(files)('%s', (name, file) => {
    const spec = specOf(file);
    expect(spec).not.toBe('');
    const missing = cases.filter((each) => !isThere(proofs[name]![each], name, spec));
    expect(missing).toEqual([]);
  });
});

const specs = ['operators', 'sinks'].flatMap((folder) =>
  readdirSync(join(TESTS, folder))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name)),
);

test.each(specs)('%s is drawn as marbles, or says at its top why it can’t be', (name) => {
  const spec = readFileSync(join(TESTS, name), 'utf8');
  const isDrawn = /\bkafkaMarbles(Async)?\(/.test(spec);
  expect(isDrawn || spec.startsWith('// On the embedded broker: ')).toBe(true);
});
