/** `run <lab>`: build or converge, then probe and report; the lab stays up. */

import * as pipeline from '../pipeline.ts';
import { renderConverged, tally } from '../report/converged.ts';
import { groupsToJson, isAsExpected, renderGroups, renderSummary } from '../report/probes.ts';
import type { Terminal } from './terminal.ts';

export async function run(
  { lab: word, set }: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const started = performance.now();
  const lab = pipeline.load(word, set);
  terminal.diagnose(lab.warnings);
  const { steps, wasUp, sandbox } = await pipeline.up(lab, terminal.progress);
  const ms = performance.now() - started;
  const { name, directory } = lab;
  if (!terminal.json) {
    terminal.print(renderConverged(name, { steps, wasUp, ms }, terminal.style));
  }
  const groups = await pipeline.probe(lab, sandbox, [], terminal.progress);
  if (terminal.json) {
    const built = { lab: name, directory, wasUp, ...tally(steps), ms: Math.round(ms) };
    terminal.printJson({ ...built, probes: groupsToJson(groups) });
  } else {
    const { style } = terminal;
    if (groups.length > 0) terminal.print(`\n${renderGroups(groups, style)}\n`);
    terminal.print(renderSummary(groups, style));
    const readme = pipeline.readmeOf(lab);
    const next = [
      `look inside: npx hoplab inspect -l ${name}`,
      ...(readme === undefined ? [] : [`the exercise: ${readme}`]),
      `end it: npx hoplab down ${name}`,
    ];
    terminal.print(style.dim(`${name} stays up; ${next.join('; ')}`));
  }
  return isAsExpected(groups) ? 0 : 1;
}
