/** `exec <thing> -- CMD`: a program inside a thing, with our terminal; its exit code is ours. */

import { runInTerminal } from '../host/exec.ts';
import { enterHere, netnsOfThing, renderArgv } from './inside.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function exec(
  args: { thing: string; command: readonly [string, ...string[]]; lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { store, sandbox } = await chooseLab(args.lab, terminal);
  const netns = netnsOfThing(store, args.thing);
  const argv = ['ip', 'netns', 'exec', netns, ...args.command] as const;
  if (terminal.verbose) terminal.note(terminal.errorStyle.dim(renderArgv(argv)));
  return runInTerminal(enterHere(sandbox, argv));
}
