/** Looks at the machine and tries on it what a lab does; nothing of that stays. */

import { fileURLToPath } from 'node:url';

import { type Machine, parseMachine } from '../kernel/machine.ts';
import { run } from './exec.ts';

const SCRIPT = fileURLToPath(new URL('doctor.sh', import.meta.url));
const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url));

export async function examine(): Promise<Machine> {
  const { platform } = process;
  const node = process.versions.node;
  if (platform !== 'linux') return parseMachine('', platform, node);
  const { stdout } = await run(['sh', SCRIPT, SCRIPTS]);
  return parseMachine(stdout, platform, node);
}
