/** `ps`: the labs that are up. */

import { brokenOff } from '../host/interruption.ts';
import type { LabStore } from '../host/store.ts';
import { readThings } from '../host/thing-index.ts';
import { renderLabsUp } from '../report/labs.ts';
import { labsUp } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function ps(terminal: Terminal): Promise<number> {
  const up = await labsUp();
  const states = await Promise.all(up.map(({ store }) => stateOf(store)));
  const labs = up.map(({ name, store, sandbox, record }, index) => {
    const things = readThings(store);
    const planned = [...store.readPlan().values()];
    return {
      name,
      directory: record?.directory ?? '?',
      since: record?.since ?? '',
      state: states[index] ?? '',
      nodes: things.filter(({ kind }) => kind === 'node').length,
      pods: things.filter(({ kind }) => kind === 'pod').length,
      netns: planned.filter(({ object }) => object.kind === 'netns').length,
      pid: sandbox.pid,
    };
  });
  if (terminal.json) terminal.printJson(labs);
  else terminal.print(renderLabsUp(labs, Date.now(), terminal.style));
  return 0;
}

async function stateOf(store: LabStore): Promise<string> {
  const what = await brokenOff(store);
  if (what !== undefined) return what.replace(/^.* was (?=cut off)/, '');
  return store.journal === 'committed' && store.experiment === undefined ? '' : 'being changed';
}
