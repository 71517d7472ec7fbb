/** `ps`: the labs that are up. */

import { readThings } from '../host/thing-index.ts';
import { renderLabsUp } from '../report/labs.ts';
import { labsUp } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function ps(terminal: Terminal): Promise<number> {
  const labs = (await labsUp()).map(({ name, store, sandbox, record }) => {
    const things = readThings(store);
    const planned = [...store.readPlan().values()];
    return {
      name,
      directory: record?.directory ?? '?',
      since: record?.since ?? '',
      isComplete: store.journal === 'committed',
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
