import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import ts from 'typescript';

export const root = resolve(import.meta.dirname, '../..');

/** Code that a document or a comment shows. */
export interface Example {
  readonly where: string;
  readonly code: string;
}

/** The README, and what lies in `docs/`. */
export const documents: readonly string[] = [
  'README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
];

/** The code that a document shows. */
export function blocksOf(path: string, what = 'block'): Example[] {
  const blocks = readFileSync(join(root, path), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm);
  return [...blocks].map(([, code = ''], i) => ({ where: `${what} ${i + 1} of ${path}`, code }));
}

/** The code of each `@example` of public symbols in a folder of the sources. */
export function examplesIn(folder: string): Example[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return files.flatMap((file) => {
    const path = join(root, folder, file);
    if (!path.endsWith('.ts')) return [];
    const comments = readFileSync(path, 'utf8').match(/\/\*\*[\s\S]*?\*\//g) ?? [];
    return comments
      .filter((comment) => !comment.includes('@internal'))
      .flatMap((comment) => {
        const lines = comment.replace(/\s*\*\/$/, '').split('\n');
        const text = lines.map((line) => line.replace(/^\s*\/?\*+ ?/, '')).join('\n');
        const parts = text.split(/^@example *\n/m).slice(1);
        return parts.map((part) => ({
          where: relative(root, path),
          code: part.split(/^@\w/m)[0]!.trim(),
        }));
      });
  });
}

/**
 * Runs an example, in whose scope are the values that it uses without saying where they come from.
 *
 * @returns what its last line says, where that is wanted.
 */
export function runExample(
  code: string,
  scope: Readonly<Record<string, unknown>>,
  last = '',
): Promise<unknown> {
  const body = code.replace(/^import [^;]*;$/gm, '');
  const script = ts.transpile(`async function example() {\n${body}\n${last}\n}`, {
    target: ts.ScriptTarget.ES2022,
  });
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the documentation is ours
  const run = new Function(...Object.keys(scope), `${script}\nreturn example();`) as (
    ...given: unknown[]
  ) => Promise<unknown>;
  return run(...Object.values(scope));
}
