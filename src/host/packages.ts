/** What only some labs need of the machine, brought when the first of them is built: scripts/bootstrap.sh knows the packages. */

import { join } from 'node:path';

import { run } from './exec.ts';
import { MachineError } from './machine-error.ts';
import { PROJECT } from './project.ts';

const BOOTSTRAP = join(PROJECT, 'scripts/bootstrap.sh');

/** Installs it where it is missing and we may; else says how one does. Where it is there this is the start of one shell. */
export async function bringPostgres(): Promise<void> {
  const { exitCode, stderr } = await run(['sh', BOOTSTRAP, 'postgres']);
  if (exitCode === 0) return;
  const lines = stderr.trim().split('\n');
  throw new MachineError(
    `this lab has a database, and PostgreSQL can't be brought: ${lines.slice(0, -1).join('; ') || 'no reason is given'}`,
    lines.at(-1) ?? '',
  );
}
