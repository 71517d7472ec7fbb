/** Many requests from many network namespaces by one process tree (`prober.pl`). */

import { readFileSync } from 'node:fs';

import { run } from './exec.ts';
import { MachineError } from './machine-error.ts';
import { programFile } from './project.ts';
import { enter, type Sandbox } from './sandbox.ts';

const MISSING = 127;

/** The requests and the answers are lines, as prober.pl has them at its head; the answers come in any order. */
export async function sendRequests(
  sandbox: Sandbox,
  requests: readonly string[],
): Promise<string[]> {
  // As an argument: the sandbox may not see the project's directory.
  const script = readFileSync(programFile('prober.pl'), 'utf8');
  // Its processes, one a namespace, end with it.
  const argv = ['unshare', '--pid', '--fork', '--kill-child', 'perl', '-e', script] as const;
  const { exitCode, stdout, stderr } = await run(enter(sandbox, argv), {
    input: requests.map((line) => `${line}\n`).join(''),
  });
  if (exitCode === MISSING) {
    throw new MachineError('perl is not there', 'sudo apt-get install perl-base');
  }
  if (exitCode !== 0) throw new Error(`prober.pl ended with exit code ${exitCode}\n${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}
