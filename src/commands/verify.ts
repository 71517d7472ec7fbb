/** `verify`: the kernel as it stands against what was planned, in the lab's words; exit code 1 when something differs. */

import * as pipeline from '../pipeline.ts';
import { driftToJson, renderDrift, renderDriftSummary } from '../report/drift.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function verify(
  { lab: option }: { lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { name, store, sandbox } = await chooseLab(option, terminal);
  const verified = await pipeline.verify(store, sandbox, terminal.progress);
  if (terminal.json) {
    const { objects, drift } = verified;
    terminal.printJson({ lab: name, objects, drift: driftToJson(drift) });
  } else printVerified(name, verified, terminal);
  return verified.drift.length === 0 ? 0 : 1;
}

/** What differs, and a line that sums it up. */
export function printVerified(
  name: string,
  { drift, objects }: Awaited<ReturnType<typeof pipeline.verify>>,
  terminal: Terminal,
): void {
  const { style, verbose } = terminal;
  if (drift.length > 0) terminal.print(renderDrift(drift, verbose, style));
  terminal.print(renderDriftSummary(name, { objects, drift: drift.length }, style));
}
