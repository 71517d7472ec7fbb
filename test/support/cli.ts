/** How a test starts the command line: as a process of its own, without the test runner's hooks in it. */

import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** `environment` is set beside what the test itself has. */
export function hoplab(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): [string, ...string[]] {
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', CLI];
  return ['env', '-u', 'NODE_OPTIONS', ...settings, ...node, ...words];
}
