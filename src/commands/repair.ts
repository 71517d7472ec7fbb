/** `repair`: mends what `verify` finds, and nothing else; exit code 1 when something differs still. */

import * as pipeline from '../pipeline.ts';
import { tally } from '../report/converged.ts';
import { driftToJson, renderDrift, renderDriftSummary } from '../report/drift.ts';
import { count } from '../report/style.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';
import { printVerified } from './verify.ts';

export async function repair(
  { lab: option }: { lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { name, store, sandbox } = await chooseLab(option, terminal);
  const { before, steps, after } = await pipeline.repair(store, sandbox, terminal.progress);
  const { style, verbose } = terminal;
  if (terminal.json) {
    terminal.printJson({
      lab: name,
      objects: after.objects,
      drift: driftToJson(before.drift),
      ...tally(steps),
      left: driftToJson(after.drift),
    });
  } else if (before.drift.length === 0) {
    terminal.print(renderDriftSummary(name, { objects: before.objects, drift: 0 }, style));
  } else {
    terminal.print(renderDrift(before.drift, verbose, style));
    terminal.print(`${style.bold(name)}: ${count(steps.length, 'object')} mended`);
    printVerified(name, after, terminal);
  }
  return after.drift.length === 0 ? 0 : 1;
}
