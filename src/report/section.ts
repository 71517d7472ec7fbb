/** A table under a title: lines for people, and the same rows as plain data. */

import type { Style } from './style.ts';
import { type Cell, table } from './table.ts';

export interface Section {
  readonly title: string;
  readonly headers: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Columns that people read once for all the rows that begin alike. */
  readonly saidOnce?: readonly string[];
}

/** Those without rows are left out. */
export function renderSections(sections: readonly Section[], style: Style): string[] {
  return sections
    .filter(({ rows }) => rows.length > 0)
    .map(
      (section) =>
        `${style.bold(section.title)}\n${table(section.headers, readable(section), style, '  ')}`,
    );
}

function readable({ headers, rows, saidOnce = [] }: Section): (readonly Cell[])[] {
  return rows.map((row, index) => {
    if (rows[index - 1]?.[0] !== row[0]) return row;
    return row.map((cell, column) => (saidOnce.includes(headers[column] ?? '') ? '' : cell));
  });
}

export function rowsAsJson({ headers, rows }: Section): Record<string, Cell | undefined>[] {
  return rows.map((row) =>
    Object.fromEntries(headers.map((header, column) => [header.toLowerCase(), row[column]])),
  );
}
