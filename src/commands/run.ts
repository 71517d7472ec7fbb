/** `run <lab>`: build or converge, then probe and report; the lab stays up. */

import * as pipeline from '../pipeline.ts';
import { groupsToJson, isAsExpected, renderGroups, renderSummary } from '../report/probes.ts';
import type { Terminal } from './terminal.ts';
import { build } from './up.ts';

export async function run(
  args: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const { lab, sandbox, summary } = await build(args, terminal);
  const { name } = lab;
  const groups = await pipeline.probe(lab, sandbox, [], terminal.progress);
  if (terminal.json) {
    terminal.printJson({ ...summary, probes: groupsToJson(groups) });
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
