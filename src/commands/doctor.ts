/** `doctor`: whether labs run on this machine, what is missing, what that costs, and how to mend it. */

import { examine } from '../host/doctor.ts';
import { judgeMachine, renderDoctor } from '../report/doctor.ts';
import type { Terminal } from './terminal.ts';

/** As for every command that the machine stands in the way of. */
const MACHINE_CANNOT = 3;

export async function doctor(terminal: Terminal): Promise<number> {
  terminal.progress.step('trying what a lab does');
  const facts = await examine();
  terminal.progress.done();
  const { runs, findings } = judgeMachine(facts);
  if (terminal.json) terminal.printJson({ runs, facts, findings });
  else terminal.print(renderDoctor(facts, { runs, findings }, terminal.style));
  return runs ? 0 : MACHINE_CANNOT;
}
