/** Texts that are kept as files: `UPDATE_GOLDEN=1` writes them anew, for a person to read the difference in git. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import type { Test } from 'tap';

/** Compares line by line, so that a failure shows the lines that differ. */
export function matchGolden(t: Test, text: string, file: string, name: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
  if (!existsSync(file)) {
    t.fail(`${file} is not there: UPDATE_GOLDEN=1 writes it`);
    return;
  }
  t.strictSame(text.split('\n'), readFileSync(file, 'utf8').split('\n'), name);
}
