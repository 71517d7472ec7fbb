/**
 * Where Hoplab's own files lie: the labs, the scripts, and the programs beside this file that are no TypeScript.
 *
 * This file lies two directories below the project's root, and so does the one file into which scripts/bundle.mjs puts
 * everything that is TypeScript.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** A program of the directory of this file, by its name. */
export function programFile(name: string): string {
  return join(PROJECT, 'src/host', name);
}
