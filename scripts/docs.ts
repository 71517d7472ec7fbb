/**
 * Makes the parts of the documents that are made, between `<!-- marker: made by npm run docs -->` and `<!-- /marker -->`.
 * A new part is one more entry of `parts`, and the two markers where it belongs.
 * With --check it writes nothing, and fails where a part is not as it would be made.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { builtInLabs } from '../src/host/lab-files.ts';
import { load } from '../src/pipeline.ts';
import { renderMermaid } from '../src/report/graph-mermaid.ts';
import { graphOf } from '../src/report/graph.ts';

interface MadePart {
  /** From the project's root. */
  readonly file: string;
  readonly marker: string;
  readonly make: () => string;
}

const root = join(import.meta.dirname, '..');
const labs = builtInLabs().map((name) => load(name));

const parts: readonly MadePart[] = [
  ...labs.map(({ name, cloud, spec }) => ({
    file: `labs/${name}/README.md`,
    marker: 'graph',
    make: () => `\`\`\`mermaid\n${renderMermaid(graphOf(cloud, spec.file.question))}\n\`\`\``,
  })),
  { file: 'README.md', marker: 'labs', make: () => labTable('labs/') },
  { file: 'labs/README.md', marker: 'labs', make: () => labTable('') },
];

/** As Prettier writes a table: every column as wide as its widest cell. */
function labTable(path: string): string {
  const rows = labs.map(({ name, spec }) => [
    `[${name}](${path}${name}/README.md)`,
    (spec.file.question ?? '').replaceAll('|', '\\|'),
  ]);
  const all = [['lab', 'question'], ...rows];
  const widths = [0, 1].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill: string): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width, fill)).join(' | ')} |`;
  return all
    .map((row) => line(row, ' '))
    .toSpliced(1, 0, line([], '-'))
    .join('\n');
}

/** Who wants to change the part by hand reads here what makes it. */
function opening(marker: string): string {
  return `<!-- ${marker}: made by npm run docs -->`;
}

/** The document with the part in its place, or undefined when it has no place for it. */
function withPart(text: string, { marker, make }: MadePart): string | undefined {
  const [open, close] = [`${opening(marker)}\n`, `\n<!-- /${marker} -->`];
  const from = text.indexOf(open);
  const to = text.indexOf(close, from);
  if (from < 0 || to < 0) return undefined;
  return `${text.slice(0, from + open.length)}\n${make()}\n${text.slice(to)}`;
}

const check = process.argv.includes('--check');
for (const part of parts) {
  const file = join(root, part.file);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const made = withPart(text, part);
  if (made === undefined) {
    console.error(
      `${part.file} has no place for a made part: ${opening(part.marker)} and <!-- /${part.marker} -->`,
    );
    process.exitCode = 1;
  } else if (made !== text && check) {
    console.error(`${part.file}: the part "${part.marker}" is out of date; mend it: npm run docs`);
    process.exitCode = 1;
  } else if (made !== text) {
    writeFileSync(file, made);
    console.log(`${part.file}: ${part.marker}`);
  }
}
console.log(`${check ? 'checked' : 'made'} ${parts.length} parts`);
