/** Looks at the machine and tries on it what a lab does; nothing of that stays. */

import { join } from 'node:path';

import { type Machine, parseMachine } from '../kernel/machine.ts';
import { run } from './exec.ts';
import { programFile, PROJECT } from './project.ts';

const SCRIPT = programFile('doctor.sh');
const SCRIPTS = join(PROJECT, 'scripts');

export async function examine(): Promise<Machine> {
  const { platform } = process;
  const node = process.versions.node;
  if (platform !== 'linux') return parseMachine('', platform, node);
  const { stdout } = await run(['sh', SCRIPT, SCRIPTS]);
  return parseMachine(stdout, platform, node);
}
