import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { stockOperators } from './stock-operators.js';

const file = resolve(import.meta.dirname, '../../../docs/operators.md');
const begin = '<!-- stock operators: written by npm run docs:operators -->';
const end = '<!-- end of stock operators -->';

/** The table as the documentation has it. */
export function documentedTable(): string {
  const text = readFileSync(file, 'utf8');
  return text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)).trim();
}

/** The table as the tests prove it. */
export function provenTable(): string {
  const rows = stockOperators.map(({ operators, effect, instead }) => {
    const names = operators.map(({ name }) => `\`${name}\``).join(', ');
    return `| ${names} | ${effect} | ${instead === '' ? '–' : instead} |`;
  });
  return ['| RxJS | what happens to acks | of ours |', '| --- | --- | --- |', ...rows].join('\n');
}

/** Writes what is proven into the documentation. */
export function writeTable(): void {
  const text = readFileSync(file, 'utf8');
  const before = text.slice(0, text.indexOf(begin) + begin.length);
  const after = text.slice(text.indexOf(end));
  writeFileSync(file, `${before}\n\n${provenTable()}\n\n${after}`);
}
