/** `validate <lab>`: whether its files are well-formed; `load` throws what is wrong with them. */

import { load } from '../pipeline.ts';
import { count } from '../report/style.ts';
import type { Terminal } from './terminal.ts';

export function validate(
  args: { lab: string; set: readonly string[] },
  terminal: Terminal,
): number {
  const { name, cloud, spec, warnings } = load(args.lab, args.set);
  terminal.diagnose(warnings);
  const nodes = cloud.cluster?.nodes.size ?? 0;
  const pods = cloud.pods.length;
  const probes = Object.keys(spec.file.probes).length;
  if (terminal.json) {
    terminal.printJson({ lab: name, isWellFormed: true, nodes, pods, probes, warnings });
  } else {
    const parts = [count(nodes, 'node'), count(pods, 'pod'), count(probes, 'probe')];
    terminal.print(`${terminal.style.bold(name)} is well-formed: ${parts.join(', ')}`);
  }
  return 0;
}
