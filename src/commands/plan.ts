/** `plan <lab>`: what would be done. Nothing is built, no root is needed. */

import { findSandbox } from '../host/sandbox.ts';
import { LabStore } from '../host/store.ts';
import { renderScript } from '../kernel/render.ts';
import { EMPTY, type KernelState } from '../kernel/state.ts';
import { type Lab, load } from '../pipeline.ts';
import { commandsFor } from '../standing.ts';
import { renderPlan } from '../report/plan.ts';

import type { Terminal } from './terminal.ts';
import type { PlanFormat } from './verbs.ts';

export async function plan(
  args: { lab: string; format: PlanFormat; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const lab = load(args.lab, args.set);
  terminal.diagnose(lab.warnings);
  if (args.format === 'sh') {
    // A script starts from nothing: it is to run in an empty sandbox.
    terminal.print(renderScript(commandsFor(EMPTY, lab.state).commands).trimEnd());
    return 0;
  }
  const standing = await stateThatStands(lab);
  const { steps } = commandsFor(standing ?? EMPTY, lab.state);
  if (args.format === 'json') {
    terminal.printJson({ lab: lab.name, isUp: standing !== undefined, steps });
  } else {
    terminal.print(renderPlan(lab.name, steps, standing !== undefined, terminal.style));
  }
  return 0;
}

/** The committed state of this very lab, or undefined when it is not up, or only half. */
async function stateThatStands(lab: Lab): Promise<KernelState | undefined> {
  const store = new LabStore(lab.name);
  if (store.readRecord()?.directory !== lab.directory || store.journal !== 'committed') {
    return undefined;
  }
  return (await findSandbox(store)) === undefined ? undefined : store.readPlan();
}
