/**
 * Every test that needs no kernel, in one process: to start node and tap for each file costs more than all of them take. A
 * file runs by itself all the same: `sh scripts/test.sh test/base/ip.test.ts`.
 */

import { readdirSync } from 'node:fs';

/** Those start labs and shells, and run side by side. */
const OTHERS = /^(netns|scripts)\//;

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && !OTHERS.test(file))
  .sort();
for (const file of files) await import(`./${file}`);
