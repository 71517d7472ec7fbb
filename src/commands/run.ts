/** `run <lab>`: build, or converge and verify, then probe and report; the lab stays up. */

import { LabStore } from '../host/store.ts';
import * as pipeline from '../pipeline.ts';
import { driftToJson } from '../report/drift.ts';
import { groupsToJson, isAsExpected, renderGroups, renderSummary } from '../report/probes.ts';
import { count } from '../report/style.ts';
import type { Terminal } from './terminal.ts';
import { build } from './up.ts';
import { printVerified } from './verify.ts';

export async function run(
  args: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const { lab, sandbox, wasUp, summary } = await build(args, terminal);
  const { name } = lab;
  // What somebody did to it by hand while it was up is told before the probes show what that does.
  const verified = wasUp
    ? await pipeline.verify(new LabStore(name), sandbox, terminal.progress)
    : undefined;
  if (verified !== undefined && !terminal.json) printVerified(name, verified, terminal);
  const isDrifted = (verified?.drift.length ?? 0) > 0;
  const experiments = Object.keys(lab.spec.file.experiments).length;
  if (isDrifted && experiments > 0) {
    // They would change the lab from what it is not, and back to what it was not.
    terminal.note(`${count(experiments, 'experiment')} left out: ${name} is not as planned`);
  }
  const only = isDrifted ? Object.keys(lab.spec.file.probes) : [];
  const groups = await pipeline.probe(lab, sandbox, only, terminal.progress);
  if (terminal.json) {
    const drift = driftToJson(verified?.drift ?? []);
    terminal.printJson({ ...summary, drift, probes: groupsToJson(groups) });
  } else {
    const { style, columns } = terminal;
    if (groups.length > 0) terminal.print(`\n${renderGroups(groups, style, columns)}\n`);
    terminal.print(renderSummary(groups, style));
    const readme = pipeline.readmeOf(lab);
    const next = [
      `look inside: npx hoplab inspect -l ${name}`,
      ...(readme === undefined ? [] : [`the exercise: ${readme}`]),
      `end it: npx hoplab down ${name}`,
    ];
    terminal.print(style.dim(`${name} stays up; ${next.join('; ')}`));
  }
  return isAsExpected(groups) && !isDrifted ? 0 : 1;
}
