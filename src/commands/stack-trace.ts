/** A stack trace by the lines of the source, where the program is one file made of it (scripts/bundle.mjs). */

import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = import.meta.url;
const MAP = `${fileURLToPath(FILE)}.map`;

export function inSource(stack: string): string {
  if (!existsSync(MAP)) return stack;
  const map = new SourceMap(JSON.parse(readFileSync(MAP, 'utf8')) as SourceMapPayload);
  return stack.replaceAll(/(file:\/\/[^\s()]+):(\d+):(\d+)/g, (place, file, line, column) => {
    if (file !== FILE) return place;
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry)) return place;
    const { originalSource, originalLine, originalColumn } = entry;
    return `${resolve(MAP, '..', originalSource)}:${originalLine + 1}:${originalColumn + 1}`;
  });
}
