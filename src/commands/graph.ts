/** `graph <lab>`: the lab's picture, drawn from the model. Nothing is built, no root is needed. */

import { load } from '../pipeline.ts';
import { renderDot } from '../report/graph-dot.ts';
import { renderMermaid } from '../report/graph-mermaid.ts';
import { renderSvg } from '../report/graph-svg.ts';
import { graphOf } from '../report/graph.ts';

import type { Terminal } from './terminal.ts';
import type { GraphFormat } from './verbs.ts';

export function graph(
  args: { lab: string; format: GraphFormat; set: readonly string[] },
  terminal: Terminal,
): number {
  const lab = load(args.lab, args.set);
  terminal.diagnose(lab.warnings);
  const picture = graphOf(lab.cloud, lab.spec.file.question);
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
