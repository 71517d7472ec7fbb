/** `up <lab>`: build a lab, or turn the one that is up into what its files say now. */

import * as pipeline from '../pipeline.ts';
import { renderConverged, tally } from '../report/converged.ts';
import type { Terminal } from './terminal.ts';

export async function up(
  { lab: word, set }: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const started = performance.now();
  const lab = pipeline.load(word, set);
  terminal.diagnose(lab.warnings);
  const { steps, wasUp } = await pipeline.up(lab, terminal.progress);
  const ms = performance.now() - started;
  const { name, directory } = lab;
  if (terminal.json) {
    terminal.printJson({ lab: name, directory, wasUp, ...tally(steps), ms: Math.round(ms) });
  } else {
    terminal.print(renderConverged(name, { steps, wasUp, ms }, terminal.style));
  }
  return 0;
}
