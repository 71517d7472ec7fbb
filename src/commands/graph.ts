/**
 * `graph <lab>`: the lab's picture, drawn from the model. Nothing is built, no root is needed. With `--health` it is the lab
 * that is up, and its load balancers are asked how their targets are.
 */

import { InputError } from '../base/diagnostic.ts';
import { type Lab, load, loadUp } from '../pipeline.ts';
import { renderDot } from '../report/graph-dot.ts';
import { renderMermaid } from '../report/graph-mermaid.ts';
import { renderSvg } from '../report/graph-svg.ts';
import type { Health } from '../report/graph-balancer.ts';
import { graphOf } from '../report/graph.ts';

import { chooseLab } from './lab-choice.ts';
import { askForAllTargets } from './target-health.ts';
import type { Terminal } from './terminal.ts';
import type { GraphFormat } from './verbs.ts';

export async function graph(
  args: { lab: string; format: GraphFormat; health: boolean; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const { lab, health } = args.health
    ? await drawnAsItStands(args, terminal)
    : { lab: load(args.lab, args.set), health: undefined };
  terminal.diagnose(lab.warnings);
  const picture = graphOf(lab.cloud, lab.spec.file.question, health);
  switch (args.format) {
    case 'mermaid':
      terminal.print(renderMermaid(picture));
      break;
    case 'dot':
      terminal.print(renderDot(picture));
      break;
    case 'svg':
      terminal.print(renderSvg(picture));
      break;
    case 'json':
      terminal.printJson(picture);
  }
  return 0;
}

async function drawnAsItStands(
  args: { lab: string; set: readonly string[] },
  terminal: Terminal,
): Promise<{ lab: Lab; health: Health }> {
  if (args.set.length > 0) {
    throw InputError.of({
      code: 'usage',
      what: '--health draws the lab that is up, and --set one that is not',
      hint: `leave --set out, or change what is up: npx hoplab up ${args.lab} --set ${args.set[0] ?? ''}`,
    });
  }
  const { name, record, sandbox } = await chooseLab(args.lab, terminal);
  const lab = loadUp(name, record);
  return { lab, health: await askForAllTargets(lab.cloud, sandbox) };
}
