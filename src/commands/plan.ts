/** `plan <lab>`: what would be done. Nothing is built, no root is needed. */

import { InputError, suggest } from '../base/diagnostic.ts';
import type { NetnsName } from '../base/names.ts';
import { findThing } from '../cloud.ts';
import { findSandbox } from '../host/sandbox.ts';
import { LabStore } from '../host/store.ts';
import { renderScript } from '../kernel/render.ts';
import { renderFirewall } from '../kernel/render-iptables.ts';
import { EMPTY, type KernelState } from '../kernel/state.ts';
import { type Lab, load } from '../pipeline.ts';
import { commandsFor } from '../standing.ts';
import { homeOf } from '../report/object.ts';
import { renderPlan } from '../report/plan.ts';

import type { Terminal } from './terminal.ts';
import type { PlanFormat } from './verbs.ts';

export async function plan(
  args: { lab: string; format: PlanFormat; node: string | undefined; set: readonly string[] },
  terminal: Terminal,
): Promise<number> {
  const lab = load(args.lab, args.set);
  terminal.diagnose(lab.warnings);
  const only = args.node === undefined ? undefined : netnsOfThing(lab, args.node);
  if (args.format === 'iptables') {
    terminal.print(renderFirewalls(lab, only));
    return 0;
  }
  if (args.format === 'sh') {
    if (only !== undefined) {
      const hint = 'leave --node out, or take --format text, iptables or json';
      throw InputError.of({ code: 'usage', what: 'a script builds the whole lab', hint });
    }
    // A script starts from nothing: it is to run in an empty sandbox.
    terminal.print(renderScript(commandsFor(EMPTY, lab.state).commands).trimEnd());
    return 0;
  }
  const standing = await stateThatStands(lab);
  const { steps: all } = commandsFor(standing ?? EMPTY, lab.state);
  const steps =
    only === undefined ? all : all.filter(({ planned }) => homeOf(planned.object) === only);
  if (args.format === 'json') {
    terminal.printJson({ lab: lab.name, isUp: standing !== undefined, steps });
  } else {
    terminal.print(renderPlan(lab.name, steps, standing !== undefined, terminal.style));
  }
  return 0;
}

/** A node by its bare name, as kubectl has it, or whatever thing is named. */
function netnsOfThing({ name, cloud }: Lab, word: string): NetnsName {
  const thing = findThing(cloud, `node/${word}`) ?? findThing(cloud, word);
  if (thing !== undefined) return thing.netns;
  const nodes = [...(cloud.cluster?.nodes.keys() ?? [])];
  throw InputError.of({
    code: 'no-such-thing',
    what: `there is no "${word}" in ${name}`,
    hint: suggest(word, [...nodes, ...cloud.things.keys()]) ?? `its nodes: ${nodes.join(', ')}`,
  });
}

/** What `iptables-restore` is given, and `iptables-save` prints: of each node, or of the one thing. */
function renderFirewalls({ cloud, state }: Lab, only: NetnsName | undefined): string {
  if (only !== undefined) return renderFirewall(state, only);
  const nodes = [...(cloud.cluster?.nodes.values() ?? [])];
  return nodes
    .map(({ name, netns }) => `# node/${name}\n${renderFirewall(state, netns)}`)
    .join('\n');
}

/** The committed state of this very lab, or undefined when it is not up, or only half. */
async function stateThatStands(lab: Lab): Promise<KernelState | undefined> {
  const store = new LabStore(lab.name);
  if (store.readRecord()?.directory !== lab.directory || store.journal !== 'committed') {
    return undefined;
  }
  return (await findSandbox(store)) === undefined ? undefined : store.readPlan();
}
