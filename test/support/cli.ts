/** How a test starts the command line: as a process of its own, without the test runner's hooks in it. */

import { fileURLToPath } from 'node:url';

const PROJECT = new URL('../../', import.meta.url);

/** What `scripts/hoplab` starts, by its path in the project; test.sh looks for it. */
export const PROGRAM = process.env['HOPLAB_PROGRAM'] ?? 'src/cli.ts';

/** `environment` is set beside what the test itself has. */
export function hoplab(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): [string, ...string[]] {
  return script(PROGRAM, words, environment);
}

/** A program of the project's, by its path there. */
export function script(
  path: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): [string, ...string[]] {
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const program = fileURLToPath(new URL(path, PROJECT));
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', program];
  return ['env', '-u', 'NODE_OPTIONS', ...settings, ...node, ...words];
}
