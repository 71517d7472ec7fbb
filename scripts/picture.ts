/**
 * The picture at the head of README.md: a real run in a real terminal, as SVG.
 *
 *   node scripts/picture.ts        writes labs/scenario-4/run.svg
 *
 * It needs a machine on which labs run. The lab is built in a state directory of its own and taken down again.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { $ } from 'zx';

import { type Cell, readTerminal, renderTerminal } from './terminal-svg.ts';

const COLUMNS = 100;
const PROJECT = join(import.meta.dirname, '..');
const TARGET = join(PROJECT, 'labs/scenario-4/run.svg');

/** The lines of a terminal of that width in which a first run of the lab was seen. */
export async function runInTerminal(lab: string): Promise<Cell[][]> {
  const state = mkdtempSync(join(tmpdir(), 'hoplab-picture-'));
  process.env['XDG_STATE_HOME'] = state;
  process.env['TERM'] = 'xterm-256color';
  delete process.env['CI'];
  try {
    const line = `stty cols ${COLUMNS} rows 60; sh ${PROJECT}/scripts/hoplab ${lab}`;
    const { stdout } = await $({ cwd: PROJECT })`script -qec ${line} /dev/null`;
    return readTerminal(stdout);
  } finally {
    await $({ cwd: PROJECT })`sh scripts/hoplab down ${lab}`;
    rmSync(state, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const lines = await runInTerminal('scenario-4');
  writeFileSync(TARGET, renderTerminal('$ npm run lab scenario-4', lines, COLUMNS));
  console.log(`${TARGET}: ${lines.length} lines`);
}
