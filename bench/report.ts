import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

const file = new URL('./RESULTS.md', import.meta.url);

const preamble = `# Results

Written by \`npm run bench -- <suite>\`. Figures of one machine on one day: compare within a table, not
between tables. Medians of interleaved rounds.
`;

/** Replaces the section of a suite in RESULTS.md, and prints it. */
export function report(suite: string, lines: readonly string[]): void {
  const section = [
    `<!-- ${suite} -->`,
    `## ${suite}`,
    '',
    machine(),
    '',
    ...lines,
    `<!-- /${suite} -->`,
  ].join('\n');
  console.log(section);
  const pattern = new RegExp(`<!-- ${suite} -->[^]*<!-- /${suite} -->`);
  const before = existing();
  const after = pattern.test(before)
    ? before.replace(pattern, () => section)
    : `${before.trimEnd()}\n\n${section}\n`;
  writeFileSync(file, after);
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

export function versionOf(peer: string): string {
  const path = new URL(`./node_modules/${peer}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function machine(): string {
  const [first] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, Node ${process.versions.node}, ${cpus().length} x ${first?.model ?? 'unknown'}.`;
}

function existing(): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return preamble;
  }
}
