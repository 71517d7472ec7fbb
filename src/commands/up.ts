/** `up <lab>`: build a lab, or turn the one that is up into what its files say now. */

import * as pipeline from '../pipeline.ts';
import { renderConverged, tally } from '../report/converged.ts';
import type { Terminal } from './terminal.ts';

export interface BuiltLab {
  readonly lab: pipeline.Lab;
  readonly sandbox: pipeline.Converged['sandbox'];
  readonly wasUp: boolean;
  /** What was done, for a machine. */
  readonly summary: object;
}

/** Reads, builds or converges, and says in a line what was done; with --json whoever called says it. */
export async function build(
  { lab: word, set }: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<BuiltLab> {
  const started = performance.now();
  const lab = pipeline.load(word, set);
  terminal.diagnose(lab.warnings);
  const { steps, wasUp, sandbox } = await pipeline.up(lab, terminal.progress);
  const ms = performance.now() - started;
  const { name, directory } = lab;
  if (!terminal.json) {
    terminal.print(renderConverged(name, { steps, wasUp, ms }, terminal.style));
  }
  const summary = { lab: name, directory, wasUp, ...tally(steps), ms: Math.round(ms) };
  return { lab, sandbox, wasUp, summary };
}

export async function up(
  args: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const { summary } = await build(args, terminal);
  if (terminal.json) terminal.printJson(summary);
  return 0;
}
