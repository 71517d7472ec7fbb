/** Columns that stand under their headers; numbers to the right, everything else to the left. */

import { stripVTControlCharacters } from 'node:util';

import { PLAIN, type Style } from './style.ts';

export type Cell = string | number;

const GAP = '  ';

/** One line for the headers, one for each row, nothing when there is no row. */
export function table(
  headers: readonly string[],
  rows: readonly (readonly Cell[])[],
  style: Style = PLAIN,
  indent = '',
): string {
  if (rows.length === 0) return '';
  const widths = headers.map((header, column) =>
    Math.max(width(header), ...rows.map((row) => width(String(row[column] ?? '')))),
  );
  const isNumeric = headers.map((_, column) =>
    rows.every((row) => typeof row[column] === 'number'),
  );
  const line = (cells: readonly Cell[], paint: (text: string) => string): string => {
    const padded = widths.map((wide, column) => {
      const text = String(cells[column] ?? '');
      const space = ' '.repeat(Math.max(0, wide - width(text)));
      const painted = text === '' ? '' : paint(text);
      return isNumeric[column] === true ? space + painted : painted + space;
    });
    return `${indent}${padded.join(GAP)}`.trimEnd();
  };
  return [line(headers, style.dim), ...rows.map((row) => line(row, String))].join('\n');
}

/** Lines of `name  value`, the values under each other; those without a value are left out. */
export function facts(
  list: readonly (readonly [name: string, value: Cell | undefined])[],
  style: Style = PLAIN,
  indent = '  ',
): string {
  const present = list.filter(([, value]) => value !== undefined && value !== '');
  const wide = Math.max(0, ...present.map(([name]) => name.length));
  return present
    .map(([name, value]) => `${indent}${style.dim(name.padEnd(wide))}${GAP}${value ?? ''}`)
    .join('\n');
}

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}
