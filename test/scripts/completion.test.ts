/** The completion scripts in real shells; what they complete is in test/commands/complete-line.test.ts. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { run } from '../../src/host/exec.ts';
import { PROJECT } from '../../src/host/project.ts';

const HOPLAB = join(PROJECT, 'scripts', 'hoplab');
const state = mkdtempSync(join(tmpdir(), 'hoplab-completion-'));
t.teardown(() => {
  rmSync(state, { recursive: true, force: true });
});

async function inShell(shell: string, script: string): Promise<string[]> {
  const environment = [`XDG_STATE_HOME=${state}`, `HOPLAB=${HOPLAB}`];
  const { stdout, stderr } = await run(['env', ...environment, shell, '-c', script]);
  return [...stdout.split('\n'), ...stderr.split('\n')].filter((line) => line !== '');
}

t.test('bash completes behind hoplab and npx hoplab, and leaves npx alone otherwise', async (t) => {
  const typed = async (line: string): Promise<string[]> =>
    inShell(
      'bash',
      `source <(sh "$HOPLAB" completion bash); COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _hoplab; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );
  t.strictSame(await typed('npx hoplab ver'), ['verify']);
  t.strictSame(await typed('hoplab plan scenario-4 --format s'), ['sh']);
  t.strictSame(await typed('npx hoplab exec nothing-is-up'), []);
  t.strictSame(await typed('npx prettier --'), []);
});

t.test('zsh takes the script', async (t) => {
  if (!existsSync('/bin/zsh') && !existsSync('/usr/bin/zsh')) {
    t.pass('skipped: there is no zsh');
    return;
  }
  const said = await inShell(
    'zsh',
    'autoload -U compinit && compinit -u -D; source <(sh "$HOPLAB" completion zsh); print $_comps[hoplab] $_comps[npx]',
  );
  t.strictSame(said, ['_hoplab _hoplab']);
});
